"""The base class of layers with several inputs.

Your own join derives from `Join` and needs `forward`, `backward`, which returns a gradient for each
input, and `output_shape`:

>>> import numpy as np
>>> class Distance(Join):
...     '''The squared difference of two inputs, number by number.'''
...
...     def forward(self, a, b):
...         self.remember(a - b)
...         return (a - b) ** 2
...
...     def backward(self, dy):
...         (difference,) = self.recall()
...         return 2 * difference * dy, -2 * difference * dy
...
...     def output_shape(self, a, b):
...         return a
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

from ..errors import ShapeError
from ..ops.checks import require_real, require_shape
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .join_texts import listed
from .layer import Layer

__all__ = ["Join", "JoinError", "require_gradient", "shapes_of"]


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
    """Base class of layers with several inputs, without weights or windows.

    Attributes
    ----------
    sign : str
        Of an operation on two numbers, as "+", for figures; "" if it has none.
    """

    sign: str = ""

    def forward(self, *inputs: Array) -> Array:
        """Return the output, and cache what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradient of each input of the last forward."""
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    def apart(self) -> Join:
        """Return a join that computes the same, and belongs to no container."""
        return copy.deepcopy(self)

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
        """Return ``field``, the union of all inputs' fields.

        Where one is smaller than the output, as a gate (C, 1, 1) is, each cell sees all of it.
        """
        image = self.output_shape(*input_shapes)[1:]
        spread = any(tuple(shape[1:]) != image for shape in input_shapes)
        return replace(field, everything=True) if spread else field

    def unread(self, *input_shapes: Shape) -> tuple[int, int]:
        """Return (0, 0): every cell is read."""
        return 0, 0

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return why inputs of these ``shapes`` cannot be joined, and what to change.

        ``names`` are those of the layers that output them, "" for the container's input, whose
        shape is ``input_shape``.
        """
        return f"cannot join {listed(shapes, names)}."


def shapes_of(inputs: Sequence[Array], where: str) -> list[Shape]:
    """Return the shapes without N of arrays with equally many images."""
    for x in inputs:
        require_real(x, where)
    if any(len(x) != len(inputs[0]) for x in inputs):
        counts = " and ".join(str(len(x)) for x in inputs)
        raise ShapeError(
            f"expects the same number of images in every input, received {counts}.", where=where
        )
    return [x.shape[1:] for x in inputs]


def require_gradient(dy: Array, shape: Shape, where: str) -> None:
    """Refuse an output gradient of another shape than the output (N, ...)."""
    require_real(dy, where, "dy")
    require_shape(dy, shape, "an output gradient", "like the output", where)
