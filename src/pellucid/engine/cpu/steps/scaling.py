"""The steps of `Scale` and `Shift` with a number for each channel, or one for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....kernels import normalization
from ....kernels.tree import tree_sum
from ....nn import Layer, LayerScale, Scale, Shift
from ....ops import summed_to
from ....typing import Array, Shape
from .base import numbers, serves
from .standardizing import StandardizingStep

__all__ = ["ScaleStep", "ShiftStep"]


class _ChannelStep(StandardizingStep):
    """Base class: y = x · scale + shift with one of them for each channel, and ReLU if one follows.

    The kernels are those of batch normalisation with a mean of 0.
    """

    passes = (
        normalization.batch_norm,
        normalization.batch_gradient_sums,
        normalization.batch_gradient,
    )

    def __init__(
        self, name: str, layer: Any, input_shape: Shape, batch: int, *,
        follower: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            name, layer, input_shape, batch,
            block=normalization.BATCH_BLOCK, sets=1, follower=follower,
        )  # fmt: skip

    @classmethod
    def takes(cls, layer: Any, input_shape: Shape) -> bool:
        """Return whether there is one number for each channel, or one for all."""
        of_channels = (*input_shape[:1], *[1] * (len(input_shape) - 1))
        fits = len(input_shape) in (1, 3) and len(layer.shape) <= len(input_shape)
        return fits and all(n in (1, of_channels[k]) for k, n in _from_the_end(layer.shape))

    def _of_each(self, buffer: Any) -> Array:
        """Return the array with one number for each channel, in float64."""
        a = numbers(buffer, self.layer.shape, self.name).astype(np.float64)
        return np.broadcast_to(a.ravel(), (self.channels,))

    def _run_forward(self, x: Array, scale: Array, shift: Array) -> Array:
        self._x = x
        self._fill(0, np.zeros(self.channels), scale, shift)
        return self.again(x)

    def _write(self, buffer: Any, dy: Array, which: int) -> None:
        """Write the array's gradient, rounded before it is added, as by several processes."""
        with np.errstate(all="ignore"):  # NaN and infinity propagate
            parts = self._cut(dy).chunk_sums(self._gradient_sums(dy)[which])
        (size,) = buffer.data.reshape(-1).shape
        each = np.stack([summed_to(part, (size,)) for part in parts])
        self.gradient(buffer).reshape(-1)[:] = tree_sum(each.astype(buffer.data.dtype))


@serves(Scale, LayerScale)
class ScaleStep(_ChannelStep):
    """``y = w · x``."""

    layer: Scale

    def forward(self, x: Array) -> Array:
        """Return ``w · x``."""
        return self._run_forward(x, self._of_each(self.layer.weight), np.zeros(self.channels))

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradient of ``w``; return that of the input."""
        if self.learns:
            self._write(self.layer.weight, dy, 1)
        return self._write_dx(dy, fixed=True) if need_dx else None


@serves(Shift)
class ShiftStep(_ChannelStep):
    """``y = x + b``."""

    layer: Shift

    def forward(self, x: Array) -> Array:
        """Return ``x + b``."""
        return self._run_forward(x, np.ones(self.channels), self._of_each(self.layer.bias))

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradient of ``b``; return that of the input."""
        if self.learns:
            self._write(self.layer.bias, dy, 0)
        return self._write_dx(dy, fixed=True) if need_dx else None


def _from_the_end(shape: Shape) -> list[tuple[int, int]]:
    """Return the axes of a shape, counted from the end, with their lengths."""
    return [(k - len(shape), n) for k, n in enumerate(shape)]
