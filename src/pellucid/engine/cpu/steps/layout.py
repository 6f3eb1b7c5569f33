"""The steps that change only the shape or the layout of their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....kernels import transposition
from ....nn import Flatten, Layer
from ....typing import Array, Shape
from ...step import Step
from ..transposing import transpose_images
from .base import serves

__all__ = ["LayoutStep", "ViewStep"]


@serves(Flatten)
class ViewStep(Step):
    """Reshape without a copy."""

    kernel = "view"
    channels_last = False
    reads_input = reads_output = False

    def __init__(self, name: str, layer: Layer, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))

    def forward(self, x: Array) -> Array:
        """Return ``x`` in the output's shape."""
        self._shape = x.shape
        return x.reshape(len(x), *self.output_shape)

    def repeats(self, images: int) -> bool:
        """Return True: a view is the same array."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` in the input's shape."""
        return dy.reshape(self._shape)


class LayoutStep(Step):
    """Convert images (N, C, H, W) to (N, H, W, C), or back: a matrix transpose for each."""

    by_image = cheap = True
    reads_input = reads_output = False

    def __init__(self, shape: Shape, batch: int, *, to_last: bool) -> None:
        super().__init__("", shape)
        self.channels_last = to_last
        c, h, w = shape
        self._rows, self._columns = (c, h * w) if to_last else (h * w, c)
        self._to, self._from = ((h, w, c), (c, h, w)) if to_last else ((c, h, w), (h, w, c))
        # A matrix of one row or one column is already its own transpose.
        self._same = 1 in (self._rows, self._columns)
        self.kernel = "view" if self._same else "channels last" if to_last else "channels first"
        shape = (0,) if self._same else (batch, *self._to)
        self._y, self._dx = self.output(shape), self.input_gradient(shape)

    def forward(self, x: Array) -> Array:
        """Return the images in the other layout."""
        if self._same:
            return x.reshape(len(x), *self._to)
        return self._transpose(x, self._y[: len(x)], self._rows, self._columns)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient in the layout of the input."""
        shape = (len(dy), *self._from)
        if self._same or not need_dx:
            return dy.reshape(shape) if need_dx else None
        return self._transpose(dy, self._dx[: len(dy)], self._columns, self._rows).reshape(shape)

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel, or a view."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the transpose, unless the step is a view."""
        return () if self._same else (transposition.transpose,)

    def _transpose(self, x: Array, y: Array, rows: int, columns: int) -> Array:
        x = np.ascontiguousarray(x, dtype=np.float32)
        transpose_images(x, y, rows, columns)
        return y
