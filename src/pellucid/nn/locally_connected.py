"""The locally connected layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..receptive import ReceptiveField
from ..shapes import Misfit, Padding, Windows, pair, slide
from ..typing import Array, Pair, Shape
from .checks import require_count
from .init import WeightInit, constant, initial_weights
from .layer import Layer
from .parameter import Parameter

__all__ = ["LocallyConnected2d"]


class LocallyConnected2d(Layer):
    """Slide windows over images as `Conv2d` does, with separate filters at every position.

        y[n,o,i,j] = b[o,i,j] + Σ_{c,u,v} w[i,j,o,c,u,v] · x[n, c, S·i + D·u - P, S·j + D·v - P]

    Input (N, C, H, W), output (N, FN, OH, OW) with sizes as of `Conv2d`. For images whose parts
    are always at the same position, as in centred faces. Gradients and sources:
    `pellucid.ops.locally_connected`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and FN.
    input_size : int or (int, int)
        H, W of the images. The number of positions, and so of weights, depends on it.
    kernel_size : int or (int, int)
        FH, FW.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.
    bias : bool
        Whether to add a learned bias to each output.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`; at each position as for a convolution.
    rng : numpy.random.Generator
        Draws them.

    Attributes
    ----------
    weight : Parameter (OH, OW, FN, C, FH, FW)
        ``weight.data[i, j]`` is the weight of a convolution.
    bias : Parameter (FN, OH, OW), or None

    Examples
    --------
    AlexNet's first layer without sharing: 290,400 neurons with 363 weights and a bias each.

    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     layer = LocallyConnected2d(3, 96, 227, 11, stride=4)
    >>> layer.output_shape((3, 227, 227)), layer.parameter_count()
    ((96, 55, 55), 105705600)
    """

    one_size = True
    short_name = "unshared"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Pair,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        bias: bool = True,
        *,
        misfit: Misfit = "floor",
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = require_count(in_channels, "in_channels")
        self.out_channels = require_count(out_channels, "out_channels")
        self.input_size = pair(input_size, "input_size")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = pair(stride, "stride")
        self.padding = padding
        self.dilation = pair(dilation, "dilation")
        self.misfit = misfit
        self.weight_init = weight_init
        places = slide(self.input_size, self.kernel_size, **self._sliding).output
        shape = (out_channels, in_channels, *self.kernel_size)
        self.weight = Parameter(initial_weights(shape, weight_init, rng, places=places))
        zeros = constant((out_channels, *places), 0)
        self.bias = Parameter(zeros, decay=0.0) if bias else None

    def forward(self, x: Array) -> Array:
        """Return the feature maps (N, FN, OH, OW) of ``x`` (N, C, H, W)."""
        self.remember(x)
        b = None if self.bias is None else self.bias.data
        return ops.locally_connected2d(x, self.weight.data, b, **self._sliding)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W) for ``dy`` (N, FN, OH, OW)."""
        (x,) = self.recall()
        dx, dw, db = ops.locally_connected2d_backward(dy, x, self.weight.data, **self._sliding)
        self.weight.grad = dw
        if self.bias is not None:
            self.bias.grad = db
        return dx

    def windows(self, input_shape: Shape) -> Windows:
        """Return how the window moves over one image (C, H, W)."""
        return ops.locally_connected2d_windows(input_shape, self.weight.data.shape, **self._sliding)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (FN, OH, OW)."""
        return self.out_channels, *self.windows(input_shape).output

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``OH·OW·FN·C·FH·FW``: every weight is used once."""
        return math.prod(self.weight.data.shape)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, enlarged by the window, its step multiplied by the stride."""
        return field.through(self.windows(input_shape))

    def unread(self, input_shape: Shape) -> tuple[int, int]:
        """Return the number of rows and columns after the last window."""
        return self.windows(input_shape).unread

    @property
    def _sliding(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "misfit": self.misfit,
        }
