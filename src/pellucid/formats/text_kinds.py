"""Recognise text files: a saved web page, JSON, a script, the settings of a run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

__all__ = ["is_index", "text_kind"]

_ERROR_PAGE = (
    "A server sent a web page in place of the file: open it in a browser, and download the file "
    "itself."
)
_RUN = "Give the run folder, or the model.safetensors in it."
_NAMES = {
    ".py": "a Python program",
    ".ipynb": "a notebook",
    ".toml": "settings in TOML",
    ".csv": "a table (CSV)",
    ".yaml": "settings in YAML",
    ".yml": "settings in YAML",
    ".md": "a text file (Markdown)",
    ".prototxt": "a network of Caffe's (prototxt), without its weights",
    ".cfg": "a text file of settings",
}


def is_index(name: str) -> bool:
    """Return whether a file of this name says in which files the tensors of a network are.

    Examples
    --------
    >>> is_index("model.safetensors.index.json"), is_index("config.json")
    (True, False)
    """
    return name.endswith((".safetensors.index.json", ".bin.index.json"))


def text_kind(path: Path, head: bytes, size: int) -> tuple[str, str, str] | None:
    """Return kind, description and advice of a text file; None if it is binary."""
    text = _decoded(head, whole=size == len(head))
    if text is None:
        return None
    start = text.lstrip("\ufeff \t\r\n")
    lower = start[:500].lower()
    if lower.startswith(("<!doctype html", "<html")) or "<html" in lower[:200]:
        return "html", "a web page (HTML)", _ERROR_PAGE
    if lower.startswith(("<?xml", "<svg", "<error")):
        what = "a drawing (SVG)" if "<svg" in lower else "an XML document"
        return "xml", what, "" if "<svg" in lower else _ERROR_PAGE
    if start.startswith("# Repeat this run: pellucid train"):
        return "settings", "the settings of a run (config.toml)", _RUN
    if start.startswith("epoch,"):
        return "history", "the history of a run (history.csv)", _RUN
    if is_index(path.name) or '"weight_map"' in start[:2000]:
        advice = "Merge them: pellucid convert --raw {path} model.safetensors"
        advice = advice.format(path=shlex.quote(str(path)))
        return "shards", "the index of weights in several files", advice
    if path.suffix.lower() in _NAMES:
        return "text", _NAMES[path.suffix.lower()], ""
    if _is_json(start, size):
        return "json", "a JSON file", ""
    first = " ".join(start.split("\n", 1)[0].split())
    shown = first if len(first) <= 40 else f"{first[:37]}..."
    return "text", f"a text file (it begins with {shown!a})", ""


def _decoded(head: bytes, *, whole: bool) -> str | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return head[: len(head) // 2 * 2].decode("utf-16")
        except UnicodeDecodeError:
            return None
    for cut in range(1 if whole else 4):  # the last character may be incomplete
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        odd = sum(not (c.isprintable() or c in "\t\r\n\f\ufeff") for c in text[:4096])
        return text if odd == 0 else None
    return None


def _is_json(start: str, size: int) -> bool:
    if start[:1] not in ("{", "["):
        return False
    try:
        json.loads(start)
    except (ValueError, RecursionError):
        return size > len(start) and '"' in start[:200]
    return True
