"""The layer that adds rows and columns around images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import ops
from ..ops.padding import PadMode, four_sides, padded_shape, shown, sources
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .checks import require_number
from .layer import Layer

__all__ = ["Pad2d"]


class Pad2d(Layer):
    """Add rows and columns around images, or remove them.

    Input (N, C, H, W), output (N, C, H + top + bottom, W + left + right). The gradient of a cell is
    the sum over the cells that show it.

    Parameters
    ----------
    padding : int, two (vertical, horizontal) or four (top, bottom, left, right)
        Cells to add on each side; a negative number removes them.
    mode : {"constant", "reflect", "edge", "wrap"}
        What the new cells show: ``value``; the image mirrored at its first or last cell, which is
        not repeated; its nearest cell; its opposite end. (PyTorch calls the last two "replicate"
        and "circular".)
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> Pad2d(1, "edge")(np.arange(4.0).reshape(1, 1, 2, 2))[0, 0]
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.],
           [2., 2., 3., 3.],
           [2., 2., 3., 3.]])
    """

    short_name = "pad"

    def __init__(
        self, padding: int | Sequence[int], mode: PadMode = "constant", value: float = 0.0
    ) -> None:
        self.sides = four_sides(padding)
        self.padding = padding if isinstance(padding, int) else tuple(padding)
        self.mode = mode
        require_number(value, "value")
        self.value = value
        removed = [max(-side, 0) for side in self.sides]
        padded_shape((1, sum(removed) + 1, sum(removed) + 1), padding, mode)  # refuses other modes

    def forward(self, x: Array) -> Array:
        """Return the padded images."""
        y = ops.pad2d(x, self.padding, self.mode, self.value)
        self.remember(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W)."""
        (shape,) = self.recall()
        return ops.pad2d_backward(dy, shape, self.padding, self.mode)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, H + top + bottom, W + left + right)."""
        return padded_shape(input_shape, self.padding, self.mode)

    def matrices(self, input_shape: Shape) -> tuple[Array, Array]:
        """Return the matrices (OH, H) and (OW, W) that copy the cells which each new one shows."""
        rows, columns = sources(input_shape[1:], self.sides, self.mode)
        return np.eye(input_shape[1])[rows], np.eye(input_shape[2])[columns]

    def shown(self, image: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where a constant border leaves the image, and which part of it is left."""
        return shown(image, self.sides)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field; its first cell lies before the image."""
        _, *image = padded_shape(input_shape, self.padding, self.mode)
        rows, columns = (
            [(i - before,) * 2 for i in range(size)]
            for size, before in zip(image, self.sides[::2], strict=True)
        )
        return field.through_cells((rows, columns), (1, 1))

    def unread(self, input_shape: Shape) -> tuple[int, int]:
        """Return the number of rows and columns that are removed."""
        top, bottom, left, right = (max(-side, 0) for side in self.sides)
        return top + bottom, left + right
