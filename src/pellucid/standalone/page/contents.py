"""What pages of a network consist of: its weights as base64, scripts, hashes, JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...typing import Array
from ..program import Program
from .statements import needed

__all__ = [
    "FUNCTIONS",
    "as_json",
    "in_tabs",
    "packed",
    "page_file",
    "require_size",
    "sha256",
    "worker_script",
]

# Of the functions of layers; what the first defines, all use.
FUNCTIONS = ("products", "windows", "quantized", "pointwise", "norms", "arrays")
MOST = 200 * 2**20  # bytes of a file that browsers still open, on a telephone too


def packed(program: Program, float16: bool) -> tuple[dict[str, Any], str]:
    """Return where each array begins, its shape and type, and the bytes of all as base64.

    The types are f4, f2 and i1. Arrays of bytes are last, so that all begin at multiples of their
    numbers' size.
    """
    index, at, parts = {}, 0, []
    for key, array in sorted(program.weights.items(), key=lambda item: item[1].dtype == np.int8):
        dtype = _dtype(array, float16)
        index[key] = (at, array.shape, dtype)
        parts.append(array.astype(f"<{dtype}").tobytes())
        at += len(parts[-1])
    return index, base64.b64encode(b"".join(parts)).decode("ascii")


def _dtype(array: Array, float16: bool) -> str:
    """Return the type of an array's numbers in a page."""
    return "i1" if array.dtype == np.int8 else "f2" if float16 else "f4"


def worker_script(program: Program, *rest: str, uses: tuple[str, ...] = ()) -> str:
    """Return the script of a worker: the functions of the network's layers, then ``rest``.

    ``uses`` names more of the functions that the rest calls.
    """
    used = {f"F.{line.function}" for line in program.lines} | {"product", *uses}
    functions = "\n".join(page_file(f"functions/{name}.js") for name in FUNCTIONS)
    shared = ["weights.js", "preparing.js"]
    if program.preparation is not None and program.preparation.drawing is not None:
        shared.append("drawing.js")
    return "\n".join([needed(functions, used), *map(page_file, shared), *rest])


def page_file(name: str) -> str:
    """Return a file of this folder, as `in_tabs` has it."""
    return in_tabs((resources.files(__package__) / name).read_text(encoding="utf-8"))


def in_tabs(text: str) -> str:
    """Return a script or style indented by tabs, which is smaller."""
    return re.sub(r"(?m)^(?:  )+", lambda found: "\t" * (len(found[0]) // 2), text)


def sha256(text: str) -> str:
    """Return the hash by which a content security policy allows a script or style."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def as_json(values: object) -> str:
    """Return JSON that no HTML parser takes for the end of its element."""
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def require_size(program: Program, float16: bool, where: str) -> None:
    """Refuse weights that would make a page larger than browsers open.

    Raises
    ------
    ArgumentError
    """
    arrays = program.weights.values()
    size, half = (
        sum(array.size * np.dtype(_dtype(array, less)).itemsize for array in arrays) * 4 // 3
        for less in (float16, True)
    )
    if size > MOST:
        less = " With {float16} it is half of that." if half < size and half <= MOST else ""
        raise ArgumentError(
            f"would write a page of {size / 2**20:.0f} MB, and browsers open at most "
            f"{MOST / 2**20:.0f} MB.{less} Or write it with `to_onnx`.",
            where=where,
            arguments={"float16": True} if less else {},
        )
