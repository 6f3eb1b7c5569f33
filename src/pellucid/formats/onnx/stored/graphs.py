"""The nodes and values of an ONNX file, in order, each value made once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileFormatError
from ....nn.keys import shown
from ..operations import Operation, Size
from .tensors import Tensors

__all__ = ["attributes_of", "operations_of", "require_text", "shape_of", "sorted_operations"]

_FLOAT, _INT, _STRING, _TENSOR = 1, 2, 3, 4
_FLOATS, _INTS, _STRINGS, _TENSORS = 6, 7, 8, 9


def require_text(names: Iterable[Any], path: Path) -> None:
    """Refuse names that are not UTF-8, which the package onnx returns as bytes."""
    for name in names:
        if not isinstance(name, str):
            raise FileFormatError(
                f"'{path}' is damaged: a name in it, {name[:40]!r}, is not text in UTF-8."
            )


def operations_of(nodes: Iterable[Any], tensors: Tensors) -> list[Operation]:
    """Return onnx's nodes as operations."""
    operations = []
    for node in nodes:
        require_text((node.op_type, node.name, node.domain, *node.input, *node.output),
                     tensors.path)  # fmt: skip
        operations.append(
            Operation(
                node.op_type,
                tuple(node.input),
                tuple(node.output),
                attributes_of(node, tensors),
                node.name,
                "" if node.domain == "ai.onnx" else node.domain,
            )
        )
    return operations


def attributes_of(node: Any, tensors: Tensors) -> dict[str, Any]:
    """Return a node's attributes; of kinds that no converter reads, as a graph, None."""
    values: dict[str, Any] = {}
    require_text((each.name for each in node.attribute), tensors.path)
    for each in node.attribute:
        if each.type == _FLOAT:
            value: Any = float(str(np.float32(each.f)))  # 0.1, not 0.10000000149
        elif each.type == _INT:
            value = int(each.i)
        elif each.type == _STRING:
            value = each.s.decode("utf-8", "replace")
        elif each.type == _TENSOR:
            value = tensors.array(each.t) if each.t.data_type != 8 else None
        elif each.type == _FLOATS:
            value = np.array(each.floats, dtype=np.float32)
        elif each.type == _INTS:
            value = [int(v) for v in each.ints]
        elif each.type == _STRINGS:
            value = [v.decode("utf-8", "replace") for v in each.strings]
        elif each.type == _TENSORS:
            value = [tensors.array(t) for t in each.tensors]
        else:
            value = None
        values[each.name] = value
    return values


def shape_of(value: Any, path: Path) -> tuple[Size, ...] | None:
    """Return the shape of an input: lengths, and names of those that are not fixed."""
    dims = value.type.tensor_type.shape.dim
    require_text((value.name, *(dim.dim_param for dim in dims)), path)
    if not value.type.HasField("tensor_type"):
        raise FileFormatError(
            f"'{path}': its input '{shown(value.name)}' is not an array. Networks here take one "
            "array of images."
        )
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        int(dim.dim_value)
        if dim.HasField("dim_value") and dim.dim_value > 0
        else shown(dim.dim_param) or "?"
        for dim in dims
    )


def sorted_operations(
    operations: Sequence[Operation], given: Iterable[str], outputs: Iterable[str], path: Path
) -> list[Operation]:
    """Return operations in an order in which each reads what was made before it.

    Raises
    ------
    FileFormatError
        If a value is made twice, or never; if operations read each other in a cycle.
    """
    maker: dict[str, Operation] = {}
    known = set(given)
    for operation in operations:
        for name in filter(None, operation.outputs):
            if name in maker or name in known:
                raise FileFormatError(
                    f"'{path}': the value '{shown(name)}' is made twice, the second time by "
                    f"{operation.op} '{shown(operation.label)}'. Each value has one origin."
                )
            maker[name] = operation
    for name in outputs:
        if name not in maker and name not in known:
            raise FileFormatError(f"'{path}': nothing makes its output '{shown(name)}'.")
    for operation in operations:
        for name in filter(None, operation.inputs):
            if name not in maker and name not in known:
                raise FileFormatError(
                    f"'{path}': {operation.op} '{shown(operation.label)}' reads "
                    f"'{shown(name)}', which nothing makes. The file is not complete."
                )
    return _in_order(operations, maker, known, path)


def _in_order(
    operations: Sequence[Operation], maker: dict[str, Operation], known: set[str], path: Path
) -> list[Operation]:
    """Sort by depth, without recursion: a file's own order is kept where it is sound."""
    done: dict[int, Operation] = {}
    for first in operations:
        stack, inside = [first], {id(first)}
        while stack:
            operation = stack[-1]
            needed = [maker[name] for name in operation.inputs if name and name not in known]
            waiting = [each for each in needed if id(each) not in done]
            if not waiting:
                done.setdefault(id(operation), operation)
                inside.discard(id(operation))
                stack.pop()
            elif id(waiting[0]) in inside:
                raise FileFormatError(
                    f"'{path}': its nodes read each other in a cycle, through "
                    f"{operation.op} '{shown(operation.label)}'. A graph runs each node once."
                )
            else:
                stack.append(waiting[0])
                inside.add(id(waiting[0]))
    return list(done.values())
