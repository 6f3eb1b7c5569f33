"""Layers with several inputs: their sum, and the concatenation of their channels.

They are nodes of a `pellucid.nn.Graph`, and end `Residual` and `Branches`. Your own join derives
from `Join` and needs `forward`, `backward`, which returns a gradient for each input, and
`output_shape`:

>>> import numpy as np
>>> class Multiply(Join):
...     '''The product of two inputs, number by number.'''
...
...     def forward(self, a, b):
...         self.remember(a, b)
...         return a * b
...
...     def backward(self, dy):
...         a, b = self.recall()
...         return dy * b, dy * a
...
...     def output_shape(self, a, b):
...         return a
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from ..errors import ShapeError
from ..ops.checks import require_real, require_shape
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .layer import Layer

__all__ = ["Add", "Concat", "Join", "JoinError", "bridges"]


class JoinError(ShapeError):
    """Raised by a join, which knows the shapes of its inputs; a graph adds their names."""

    def __init__(self, join: Join, shapes: Sequence[Shape]) -> None:
        self.join, self.shapes = join, [tuple(shape) for shape in shapes]
        names = [f"input {k}" for k in range(1, len(shapes) + 1)]
        super().__init__(join.refusal(self.shapes, names, self.shapes[0]))

    def among(self, names: Sequence[str], input_shape: Shape) -> ShapeError:
        """Return the error with the inputs named; "" is the container's input."""
        return ShapeError(self.join.refusal(self.shapes, names, tuple(input_shape)))


class Join(Layer):
    """Base class of layers with several inputs, without weights or windows."""

    def forward(self, *inputs: Array) -> Array:
        """Return the output, and cache what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradient of each input of the last forward."""
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape of one output, without N, for one input of each shape."""
        raise NotImplementedError(f"{type(self).__name__} has no output_shape yet")

    def activation_size(self, *input_shapes: Shape) -> int:
        """Return the size of one image's output."""
        return math.prod(self.output_shape(*input_shapes))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        """Return 0: nothing is multiplied by weights."""
        return 0

    def neurons(self, *input_shapes: Shape) -> int:
        """Return 0: no output is a weighted sum."""
        return 0

    def parameters_without_sharing(self, *input_shapes: Shape) -> int:
        """Return 0: there are no weights."""
        return 0

    def receptive_field(self, field: ReceptiveField, *input_shapes: Shape) -> ReceptiveField:
        """Return ``field``, the union of all inputs' fields."""
        return field

    def unread(self, *input_shapes: Shape) -> tuple[int, int]:
        """Return (0, 0): every cell is read."""
        return 0, 0

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return why inputs of these ``shapes`` cannot be joined, and what to change.

        ``names`` are those of the layers that output them, "" for the container's input, whose
        shape is ``input_shape``.
        """
        return f"cannot join {_listed(shapes, names)}."


class Add(Join):
    """Add two or more inputs of one shape.

        y = Σ_k x_k,    dx_k = dy

    Inputs and output (N, ...), of one shape: unlike in NumPy, nothing is broadcast.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> add = Add()
    >>> add(np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))
    array([[11., 22.]])
    >>> [dx.tolist() for dx in add.backward(np.array([[1.0, 2.0]]))]
    [[[1.0, 2.0]], [[1.0, 2.0]]]
    """

    where = "add"

    def forward(self, a: Array, b: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return the sum, in the order of the inputs."""
        inputs = a, b, *more
        shape = self.output_shape(*_shapes(inputs, self.where))
        y: Array = reduce(np.add, inputs)
        self.remember((len(y), *shape), len(inputs))
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return ``dy`` for each input."""
        shape, inputs = self.recall()
        _require_gradient(dy, shape, self.where)
        return (dy,) * inputs

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the common shape of the inputs."""
        if any(tuple(shape) != tuple(input_shapes[0]) for shape in input_shapes):
            raise JoinError(self, input_shapes)
        return tuple(input_shapes[0])

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return which shapes differ, and which layers would make them equal."""
        k = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), 0)
        (start, end), name = (shapes[k], shapes[0]), names[k]
        if len(start) == len(end) and math.prod(start[1:]) < math.prod(end[1:]):
            (start, end), name = (end, start), names[0]  # downsample the larger image
        across = ", or ".join(f"`{layer}`, {what}" for layer, what in bridges(start, end))
        advice = f" Put after {_quoted(name)}: {across}." if across else ""
        return f"a sum needs inputs of one shape, received {_listed(shapes, names)}.{advice}"


class Concat(Join):
    """Concatenate the channels of all inputs.

        y = [x_1, x_2, ...],    dx_k = the channels of dy that came from x_k

    Inputs (N, C_k, H, W), output (N, Σ C_k, H, W); rows (N, F_k) are concatenated likewise.

    Raises
    ------
    ShapeError
        If the images differ in size.

    Examples
    --------
    >>> concat = Concat()
    >>> concat(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[1., 2., 3.]])
    >>> [dx.tolist() for dx in concat.backward(np.array([[1.0, 2.0, 3.0]]))]
    [[[1.0, 2.0]], [[3.0]]]
    """

    where = "concat"

    def forward(self, a: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return all inputs, concatenated along axis 1."""
        inputs = a, *more
        shape = self.output_shape(*_shapes(inputs, self.where))
        y = np.concatenate(inputs, axis=1)
        self.remember((len(y), *shape), [x.shape[1] for x in inputs])
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return each input's channels of ``dy``."""
        shape, channels = self.recall()
        _require_gradient(dy, shape, self.where)
        parts = np.split(dy, np.cumsum(channels)[:-1], axis=1)
        return tuple(np.ascontiguousarray(part) for part in parts)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (Σ C_k, H, W)."""
        first = input_shapes[0]
        if any(shape[1:] != first[1:] for shape in input_shapes):
            raise JoinError(self, input_shapes)
        return sum(shape[0] for shape in input_shapes), *first[1:]

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return which sizes differ, and what to change."""
        return (
            "images of different sizes cannot be concatenated along channels, received "
            f"{_listed(shapes, names)}. Give the layers before them the same stride, and each a "
            "padding that keeps the size, as (FH - 1) / 2."
        )


def bridges(start: Shape, end: Shape) -> list[tuple[str, str]]:
    """Return known layers that map ``start`` to ``end``, each with a description.

    Examples
    --------
    >>> bridges((2, 7, 8), (3, 4, 4))[1]
    ('ZeroPadShortcut(2, 3, stride=2)', 'which has no parameters')
    """
    if len(start) != 3 or len(end) != 3:
        return []
    (c, h, w), (out, oh, ow) = start, end
    stride = -(-h // oh)
    if (-(-h // stride), -(-w // stride)) != (oh, ow):
        return []
    across = (f"Conv2d({c}, {out}, 1, stride={stride})", "a 1x1 convolution")
    padded = (f"ZeroPadShortcut({c}, {out}, stride={stride})", "which has no parameters")
    return [across, padded] if out >= c else [across]


def _shapes(inputs: Sequence[Array], where: str) -> list[Shape]:
    """Return the shapes without N of arrays with equally many images."""
    for x in inputs:
        require_real(x, where)
    if any(len(x) != len(inputs[0]) for x in inputs):
        counts = " and ".join(str(len(x)) for x in inputs)
        raise ShapeError(
            f"expects the same number of images in every input, received {counts}.", where=where
        )
    return [x.shape[1:] for x in inputs]


def _require_gradient(dy: Array, shape: Shape, where: str) -> None:
    require_real(dy, where, "dy")
    require_shape(dy, shape, "an output gradient", "like the output", where)


def _listed(shapes: Sequence[Shape], names: Sequence[str]) -> str:
    made = [f"{_quoted(name)} {shape}" for name, shape in zip(names, shapes, strict=True)]
    return ", ".join(made)


def _quoted(name: str) -> str:
    return f"'{name}'" if name else "the input"
