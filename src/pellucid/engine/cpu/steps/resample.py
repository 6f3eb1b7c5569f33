"""The steps that resize images or pad them: each cell is a weighted sum of cells, or a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....nn import AdaptiveAvgPool2d, Pad2d, Resize, Upsample
from ....typing import Array, Shape
from ...step import Step
from ..resampling import Resampling
from .base import serves

__all__ = ["PadStep", "ResampleStep"]


@serves(Resize, Upsample, AdaptiveAvgPool2d)
class ResampleStep(Step):
    """Resizing by interpolation, and averages over bins."""

    channels_last = cheap = True
    reads_input = reads_output = False

    def __init__(
        self,
        name: str,
        layer: Resize | Upsample | AdaptiveAvgPool2d,
        input_shape: Shape,
        batch: int,
    ) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.kernel = layer.short_name
        self._resampling = Resampling(*layer.matrices(input_shape))
        (c, *image), (_, *resized) = input_shape, self.output_shape
        self._y = self.output((batch, *resized, c))
        self._dx = self.input_gradient((batch, *image, c))

    def forward(self, x: Array) -> Array:
        """Return the resampled images."""
        y = self._y[: len(x)]
        self._resampling.forward(x, y)
        return y

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient: resampling by the transposed matrices."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        self._resampling.backward(dy, dx)
        return dx

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the one kernel of both directions."""
        return self._resampling.kernels


@serves(Pad2d)
class PadStep(Step):
    """Padding: a constant border around a copy, which NumPy makes line by line."""

    kernel = "pad"
    channels_last = cheap = True
    reads_input = reads_output = False

    def __init__(self, name: str, layer: Pad2d, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        (c, h, w), (_, *padded) = input_shape, self.output_shape
        self.layer = layer
        self._y = self.output((batch, *padded, c))
        self._dx = self.input_gradient((batch, h, w, c))
        self._copies = (
            None if layer.mode == "constant" else Resampling(*layer.matrices(input_shape))
        )
        self._to, self._of = layer.shown((h, w))

    def forward(self, x: Array) -> Array:
        """Return the padded images."""
        y = self._y[: len(x)]
        if self._copies is not None:
            self._copies.forward(x, y)
            return y
        y[...] = self.layer.value
        y[:, *self._to] = x[:, *self._of]
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the sum of ``dy`` over the cells that show each cell."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        if self._copies is not None:
            self._copies.backward(dy, dx)
        else:
            dx[...] = 0  # what is removed
            dx[:, *self._of] = dy[:, *self._to]
        return dx

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernel of copies, unless NumPy copies."""
        return () if self._copies is None else self._copies.kernels
