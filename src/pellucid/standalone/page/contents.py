"""What pages of a network consist of: its weights as base64, scripts, hashes, JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from math import prod
from typing import Any

from ...errors import ArgumentError
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
FUNCTIONS = ("products", "windows", "pointwise", "norms", "arrays")
MOST = 200 * 2**20  # bytes of a file that browsers still open, on a telephone too


def packed(program: Program, float16: bool) -> tuple[dict[str, Any], str]:
    """Return where each array begins, counted in numbers, with its shape; and all as base64."""
    dtype = "<f2" if float16 else "<f4"
    index, at, parts = {}, 0, []
    for key, array in program.weights.items():
        index[key] = (at, array.shape)
        at += array.size
        parts.append(array.astype(dtype).tobytes())
    return index, base64.b64encode(b"".join(parts)).decode("ascii")


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
    numbers = sum(prod(array.shape) for array in program.weights.values())
    size = numbers * (2 if float16 else 4) * 4 // 3
    if size > MOST:
        less = " With {float16} it is half of that." if not float16 and size <= 2 * MOST else ""
        raise ArgumentError(
            f"would write a page of {size / 2**20:.0f} MB, and browsers open at most "
            f"{MOST / 2**20:.0f} MB.{less} Or write it with `to_onnx`.",
            where=where,
            arguments={"float16": True} if less else {},
        )
