"""What a unit sees, back to the image, and what it reaches, ahead to the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...nn import Layer, walk
from ...nn.walk import Node
from ...shapes import shape_text
from ...typing import Array, Shape
from .dependence import Box, readings

__all__ = [
    "ValueBox",
    "around",
    "reached",
    "required_unit",
    "required_value",
    "seen_by",
    "value_shapes",
]


@dataclass(frozen=True)
class ValueBox:
    """A box of units of one value.

    Attributes
    ----------
    value : int
    box : tuple of (int, int)
        For each axis of the value the first and the last index. Rows and columns below 0 or beyond
        the map are padding.
    """

    value: int
    box: Box

    def as_dict(self) -> dict[str, Any]:
        """Return the box by axes, each [first, end); None where the value has no such axis."""
        names = ("channels", "rows", "columns")
        both = [[first, last + 1] for first, last in self.box]
        return {"value": self.value, **dict(zip(names, [*both, None, None], strict=False))}


def value_shapes(nodes: Sequence[Node], input_shape: Shape) -> list[Shape]:
    """Return the shapes of all values, without N: of the image, and of each node's output."""
    return [tuple(input_shape), *(out for _, _, out in walk.shapes(nodes, input_shape))]


def required_unit(unit: Sequence[int], shape: Shape, value: int) -> tuple[int, ...]:
    """Return ``unit`` as a tuple, or refuse what is not the index of a number of the value.

    Raises
    ------
    ArgumentError
    """
    index = tuple(unit)
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in index)
    if not whole or len(index) != len(shape) or not all(
        0 <= k < size for k, size in zip(index, shape, strict=True)
    ):  # fmt: skip
        last = ", ".join(str(size - 1) for size in shape)
        raise ArgumentError(
            f"must be {len(shape)} integers from 0 to {last}, since value {value} is of shape "
            f"{shape_text(shape)}; received {list(unit)!r}.",
            where="unit",
        )
    return tuple(int(k) for k in index)


def seen_by(model: Layer, input_shape: Shape, value: int, unit: Sequence[int]) -> list[ValueBox]:
    """Return the windows that a unit sees, in each earlier value, back to the image.

    Where a value is read by several nodes on the way, it is the smallest box around all windows.

    Parameters
    ----------
    model : Layer
    input_shape : (C, H, W)
    value : int
        Which value of `pellucid.nn.walk.flattened`; 0 is the image.
    unit : sequence of int
        The index of a number of it, without N.

    Raises
    ------
    ArgumentError
        If the value or the unit does not exist.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> [window.as_dict() for window in seen_by(SimpleConvNet(), (1, 28, 28), 2, (7, 3, 4))]
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'value': 1, 'channels': [7, 8], 'rows': [3, 4], 'columns': [4, 5]},
     {'value': 0, 'channels': [0, 1], 'rows': [3, 8], 'columns': [4, 9]}]
    """
    nodes = walk.flattened(model)
    shapes = value_shapes(nodes, input_shape)
    start = required_unit(unit, shapes[required_value(value, len(shapes))], value)
    boxes: dict[int, Box] = {value: tuple((k, k) for k in start)}
    for made in range(value, 0, -1):
        if made not in boxes:
            continue
        node = nodes[made - 1]
        read = tuple(shapes[k] for k in node.reads)
        for k, reading in zip(node.reads, readings(node.layer, read), strict=True):
            box = reading.back(boxes[made])
            if box is not None:
                boxes[k] = _around(boxes[k], box) if k in boxes else box
    return [ValueBox(k, boxes[k]) for k in sorted(boxes, reverse=True) if k != value]


def reached(model: Layer, input_shape: Shape, value: int, unit: Sequence[int]) -> dict[int, Array]:
    """Return which units of each later value depend on a unit.

    Returns
    -------
    dict of int to bool array
        By the number of the value, marks shaped like it. Values that do not depend on the unit are
        left out.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> marks = reached(SimpleConvNet(), (1, 28, 28), 0, (0, 0, 9))
    >>> marks[1][0].sum(axis=1), np.flatnonzero(marks[1][0, 0]).tolist()
    (array([5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
           0, 0]), [5, 6, 7, 8, 9])
    """
    nodes = walk.flattened(model)
    shapes = value_shapes(nodes, input_shape)
    start = required_unit(unit, shapes[required_value(value, len(shapes))], value)
    marks = {value: np.zeros(shapes[value], bool)}
    marks[value][start] = True
    for made in range(value + 1, len(shapes)):
        node = nodes[made - 1]
        if not any(k in marks for k in node.reads):
            continue
        read = tuple(shapes[k] for k in node.reads)
        found = np.zeros(shapes[made], bool)
        for k, reading in zip(node.reads, readings(node.layer, read), strict=True):
            if k in marks:
                found |= reading.ahead(marks[k])
        if found.any():
            marks[made] = found
    del marks[value]
    return marks


def around(value: int, marks: Array) -> ValueBox:
    """Return the smallest box around the marked units of a value."""
    places = np.nonzero(marks)
    return ValueBox(value, tuple((int(p.min()), int(p.max())) for p in places))


def required_value(value: int, count: int) -> int:
    """Return ``value``, or refuse what is not the number of one of ``count`` values.

    Raises
    ------
    ArgumentError
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise ArgumentError(
            f"must be the number of a value, from 0, the image, to {count - 1}; received "
            f"{value!r}.",
            where="value",
        )
    return value


def _around(one: Box, other: Box) -> Box:
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))
