"""The fully connected layer of the channels of each pixel."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..ops.checks import require_count
from ..ops.linear import require_linear_channels
from ..typing import Array, Shape
from .init import WeightInit, constant, initial_weights
from .layer import Layer
from .parameter import Parameter

__all__ = ["ChannelLinear"]


class ChannelLinear(Layer):
    """Connect every channel of a pixel with every output channel of this pixel.

        y[n,o,i,j] = b[o] + Σ_c w[o,c] · x[n,c,i,j]

    Input (N, in, H, W), output (N, out, H, W). A convolution of 1x1 whose weight has the shape of a
    `Linear`: networks that PyTorch runs as Linear on channels-last images (ConvNeXt) keep their
    keys and shapes, and need no transposes. Source: Lin et al. 2013, "Network in network", section
    3.1.

    Parameters
    ----------
    in_features, out_features : int
        Channels of input and output.
    bias : bool
        Whether to add a learned bias to each output channel.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`. The bias starts at 0.
    rng : numpy.random.Generator
        Draws them.

    Attributes
    ----------
    weight : Parameter (out, in)
    bias : Parameter (out,), or None

    Examples
    --------
    >>> layer = ChannelLinear(96, 384, rng=np.random.default_rng(0))
    >>> layer(np.zeros((2, 96, 7, 7), dtype=np.float32)).shape, layer.weight.data.shape
    ((2, 384, 7, 7), (384, 96))
    """

    per_pixel = True
    short_name = "linear 1x1"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_features = require_count(in_features, "in_features")
        self.out_features = require_count(out_features, "out_features")
        self.weight_init = weight_init
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(initial_weights(shape, weight_init, rng))
        zeros = constant((self.out_features,), 0)
        self.bias = Parameter(zeros, decay=0.0) if bias else None

    def forward(self, x: Array) -> Array:
        """Return the outputs (N, out, H, W) for ``x`` (N, in, H, W)."""
        self.remember(x)
        bias = None if self.bias is None else self.bias.data
        return ops.channel_linear(x, self.weight.data, bias)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, in, H, W) for ``dy`` (N, out, H, W)."""
        (x,) = self.recall()
        dx, self.weight.grad, db = ops.channel_linear_backward(dy, x, self.weight.data)
        if self.bias is not None:
            self.bias.grad = db
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out, H, W)."""
        require_linear_channels(input_shape, self.in_features)
        return self.out_features, *input_shape[1:]

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``H·W·in·out``."""
        return math.prod(input_shape[1:]) * self.in_features * self.out_features

    def image_filters(self) -> Array:
        """Return the weights as filters (out, in, 1, 1)."""
        return self.weight.data[:, :, np.newaxis, np.newaxis]

    def parameters_without_sharing(self, input_shape: Shape) -> int:
        """Return ``H·W·out·(in + 1)``: weights and bias for every output cell."""
        return math.prod(input_shape[1:]) * self.parameter_count()
