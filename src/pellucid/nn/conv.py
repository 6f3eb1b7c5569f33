"""The convolution layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..receptive import ReceptiveField
from ..shapes import Misfit, Padding, Windows, pair, require_sliding
from ..typing import Array, Pair, Shape
from .checks import require_count
from .init import WeightInit, constant, initial_weights
from .layer import Layer
from .parameter import Parameter
from .pattern_words import Argument, PatternWord, keeping

__all__ = ["Conv2d"]


class Conv2d(Layer):
    """Convolve images with learned filters.

        y[n,o,i,j] = b[o] + Σ_{c,u,v} w[o,c,u,v] · x[n, c, S·i + D·u - P, S·j + D·v - P]

    Input (N, C, H, W), output (N, FN, OH, OW) with ``OH = (H + 2P - D·(FH-1) - 1) // S + 1``.
    Gradients: see `pellucid.ops.conv`. Source: "Deep Learning from Scratch", section 7.4.3;
    LeCun et al. 1998, section II.A.

    Parameters
    ----------
    in_channels, out_channels : int
        C and FN: the depth of the input, the number of filters.
    kernel_size : int or (int, int)
        FH, FW.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.
    groups : int
        Number of groups that channels and filters are divided into; each filter sees its own group.
        ``in_channels``: depthwise, one filter per channel (Howard et al. 2017, section 3.1).
    bias : bool
        Whether to add a learned bias to each filter's output.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`. The bias starts at 0.
    rng : numpy.random.Generator
        Draws them.

    Attributes
    ----------
    weight : Parameter (FN, C/groups, FH, FW)
    bias : Parameter (FN,), or None

    Examples
    --------
    >>> conv = Conv2d(1, 30, 5, rng=np.random.default_rng(0))
    >>> conv(np.zeros((100, 1, 28, 28), dtype=np.float32)).shape
    (100, 30, 24, 24)
    >>> conv.output_shape((1, 28, 28)), conv.parameter_count(), conv.multiply_adds((1, 28, 28))
    ((30, 24, 24), 780, 432000)

    A 1x1 convolution is a `Linear` over the channels of every pixel (Lin et al. 2013, section 3.1):

    >>> mix, x = Conv2d(5, 7, 1), np.random.default_rng(0).normal(size=(2, 5, 4, 4))
    >>> pixels = x.transpose(0, 2, 3, 1)                             # (N, H, W, C)
    >>> y = pixels @ mix.weight.data[:, :, 0, 0].T + mix.bias.data
    >>> np.allclose(mix(x), y.transpose(0, 3, 1, 2))
    True
    """

    short_name = "conv"
    pattern_word = PatternWord(
        "CONV",
        (
            Argument("kernel_size", implied=3, meaning="window", always=True),
            Argument("out_channels", "-", meaning="filters"),
            Argument("stride", "/", 1),
            Argument("padding", "p", lambda arguments: keeping(arguments["kernel_size"]), least=0),
        ),
        channels="in_channels",
        takes="images",
        example="CONV5-32/2p1",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        misfit: Misfit = "floor",
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = require_count(in_channels, "in_channels")
        self.out_channels = require_count(out_channels, "out_channels")
        require_sliding(padding, misfit)
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = pair(stride, "stride")
        self.padding = padding
        self.dilation = pair(dilation, "dilation")
        self.groups = require_count(groups, "groups")
        self.misfit = misfit
        self.weight_init = weight_init
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"must divide {in_channels} channels and {out_channels} filters evenly, "
                f"received {groups}.",
                where="groups",
            )
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(initial_weights(shape, weight_init, rng))
        self.bias = Parameter(constant((out_channels,), 0), decay=0.0) if bias else None

    def forward(self, x: Array) -> Array:
        """Return the feature maps (N, FN, OH, OW) of ``x`` (N, C, H, W)."""
        self.remember(x)
        b = None if self.bias is None else self.bias.data
        return ops.conv2d(x, self.weight.data, b, groups=self.groups, **self._sliding)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W) for ``dy`` (N, FN, OH, OW)."""
        (x,) = self.recall()
        dx, dw, db = ops.conv2d_backward(
            dy, x, self.weight.data, groups=self.groups, **self._sliding
        )
        self.weight.grad = dw
        if self.bias is not None:
            self.bias.grad = db
        return dx

    def windows(self, input_shape: Shape) -> Windows:
        """Return how the filters move over one image (C, H, W)."""
        return ops.conv2d_windows(
            input_shape, self.weight.data.shape, groups=self.groups, **self._sliding
        )

    def image_filters(self) -> Array:
        """Return the weights (FN, C/groups, FH, FW)."""
        return self.weight.data

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (FN, OH, OW)."""
        return self.out_channels, *self.windows(input_shape).output

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``OH·OW·FN·(C/groups)·FH·FW``."""
        return self.windows(input_shape).count * math.prod(self.weight.data.shape)

    def parameters_without_sharing(self, input_shape: Shape) -> int:
        """Return ``OH·OW·FN·((C/groups)·FH·FW + 1)``: weights and bias for every output cell."""
        return self.windows(input_shape).count * self.parameter_count()

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, enlarged by the filter, its step multiplied by the stride."""
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
