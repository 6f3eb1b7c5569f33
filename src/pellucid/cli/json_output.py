"""Results as JSON and CSV, for other programs: always UTF-8, whatever the terminal's encoding."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["JsonOption", "file_fields", "json_text", "print_json", "write_utf8"]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document (fields: docs/pipelines.md).")
]
# Letters that a terminal obeys, or that reorder others; within quotes JSON has escapes for them.
UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def json_text(value: Any) -> str:
    r"""Return ``value`` as JSON: NumPy's numbers as numbers, NaN and infinity as null.

    Examples
    --------
    >>> import numpy as np
    >>> print(json_text({"class": "고양이", "p": np.float32(0.1), "n": np.int64(3), "x": np.nan}))
    {"class": "고양이", "p": 0.1, "n": 3, "x": null}
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(value: Any) -> None:
    """Print one document to standard output, on one line."""
    write_utf8(json_text(value) + "\n")


def write_utf8(text: str) -> None:
    """Write to standard output in UTF-8, and flush it."""
    typer.echo(text.encode(), nl=False)


def file_fields(path: Path) -> dict[str, str]:
    r"""Return ``file``, the path; if its bytes are not UTF-8, also ``file_base64``, the bytes.

    Examples
    --------
    >>> file_fields(Path("a.png"))
    {'file': 'a.png'}
    """
    name = os.fsencode(path)
    try:
        return {"file": name.decode()}
    except UnicodeDecodeError:
        told = name.decode(errors="replace")
        return {"file": told, "file_base64": base64.b64encode(name).decode()}


def _plain(value: Any) -> Any:
    """Return ``value`` as dicts, lists, text, numbers and None."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="replace")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Path):
        return file_fields(value)["file"]
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if getattr(value, "shape", ()):  # an array
        return value.tolist() if value.dtype.kind in "iub" else [_plain(item) for item in value]
    if hasattr(value, "dtype"):  # a number of NumPy: of a float32 the digits that it has
        return _plain(float(str(value)) if value.dtype.kind == "f" else value.item())
    return float(value) if math.isfinite(value) else None
