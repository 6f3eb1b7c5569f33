"""The zero-padding shortcut of residual networks."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.checks import as_floats, require_image_shape, require_images, require_real, require_shape
from ..receptive import ReceptiveField
from ..shapes import Windows, pair, slide
from ..typing import Array, Pair, Shape
from .checks import require_count
from .layer import Layer

__all__ = ["ZeroPadShortcut"]


class ZeroPadShortcut(Layer):
    """Subsample rows and columns, and append zero channels: a shortcut without parameters.

        y[n,c,i,j] = x[n, c, S·i, S·j]  where c < C,  0 in the new channels

    Input (N, C, H, W), output (N, out, ⌈H/S⌉, ⌈W/S⌉); ``dy`` goes to the cells that were
    kept. Source: He et al. 2015, section 4.2, where ResNet-20 uses it ("option A" of section 3.3).

    Parameters
    ----------
    in_channels, out_channels : int
        C and out, at least as many.
    stride : int or (int, int)
        S.

    Examples
    --------
    >>> shortcut = ZeroPadShortcut(1, 2, stride=2)
    >>> shortcut(np.arange(16.0).reshape(1, 1, 4, 4))[0].tolist()
    [[[0.0, 2.0], [8.0, 10.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """

    short_name = "zero channels"

    def __init__(self, in_channels: int, out_channels: int, stride: Pair = 1) -> None:
        self.in_channels = require_count(in_channels, "in_channels")
        self.out_channels = require_count(out_channels, "out_channels")
        self.stride = pair(stride, "stride")
        if out_channels < in_channels:
            raise ArgumentError(
                f"must be at least the {in_channels} of the input, received {out_channels}: "
                "channels can only be added. Use a 1x1 convolution.",
                where="out_channels",
            )

    def forward(self, x: Array) -> Array:
        """Return the subsampled ``x`` with zero channels appended."""
        x = as_floats(x, "shortcut")
        require_images(x, "shortcut")
        y = np.zeros((len(x), *self.output_shape(x.shape[1:])), dtype=x.dtype)
        y[:, : self.in_channels] = x[self._kept]
        self.remember(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): ``dy`` at the cells that were kept, 0 elsewhere."""
        (shape,) = self.recall()
        required = (shape[0], *self.output_shape(shape[1:]))
        require_real(dy, "shortcut", "dy")
        require_shape(dy, required, "an output gradient", "(N, out, OH, OW)", "shortcut")
        dx = np.zeros(shape, dtype=dy.dtype)
        dx[self._kept] = dy[:, : self.in_channels]
        return dx

    def windows(self, input_shape: Shape) -> Windows:
        """Return how a window of one cell moves over one image (C, H, W)."""
        channels, *image = require_image_shape(input_shape, "shortcut")
        if channels != self.in_channels:
            raise ShapeError(
                f"expects {self.in_channels} input channels, received shape {tuple(input_shape)}. "
                f"Build it as `ZeroPadShortcut({channels}, ...)`."
            )
        return slide((image[0], image[1]), 1, self.stride)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out, ⌈H/S⌉, ⌈W/S⌉)."""
        return self.out_channels, *self.windows(input_shape).output

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, its step multiplied by the stride."""
        return field.through(self.windows(input_shape))

    @property
    def _kept(self) -> tuple[slice, ...]:
        rows, columns = self.stride
        return slice(None), slice(None), slice(None, None, rows), slice(None, None, columns)
