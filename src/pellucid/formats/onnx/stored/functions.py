"""Functions that a file defines for itself: replaced by their nodes, if these stay few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....errors import FileFormatError
from ....extras import extra
from ....nn.keys import shown

__all__ = ["inlined"]

MOST_NODES = 200_000

_Key = tuple[str, str]


def inlined(model: Any, path: Path) -> Any:
    """Return a model of onnx without functions of its own.

    Raises
    ------
    FileFormatError
        If functions call each other in a cycle, or would become too many nodes.
    """
    if not model.functions:
        return model
    functions: dict[_Key, Any] = {(f.domain, f.name): f for f in model.functions}
    if len(functions) < len(model.functions):
        raise FileFormatError(f"'{path}' defines a function twice.")
    sizes: dict[_Key, int] = {}
    for key in functions:
        _measure(key, functions, sizes, path)
    total = sum(sizes.get((node.domain, node.op_type), 1) for node in model.graph.node)
    if total > MOST_NODES:
        raise FileFormatError(
            f"'{path}' has functions that become {total:,} nodes; at most {MOST_NODES:,} are read."
        )
    return extra("onnx.inliner", "onnx", "reading ONNX").inline_local_functions(model)


def _measure(start: _Key, functions: dict[_Key, Any], sizes: dict[_Key, int], path: Path) -> None:
    """Count the nodes that a function becomes, and those that it calls first."""
    open_: dict[_Key, None] = {start: None}
    while open_:
        key = next(reversed(open_))
        called = [(node.domain, node.op_type) for node in functions[key].node]
        waiting = [each for each in called if each in functions and each not in sizes]
        if not waiting:
            sizes[key] = sum(sizes.get(each, 1) for each in called)
            del open_[key]
        elif waiting[0] in open_:
            raise FileFormatError(
                f"'{path}': its function '{shown(waiting[0][1])}' calls itself. A graph runs each "
                "node once."
            )
        else:
            open_[waiting[0]] = None
