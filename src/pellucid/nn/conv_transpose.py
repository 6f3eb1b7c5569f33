"""The transposed convolution layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..receptive import ReceptiveField
from ..shapes import Padding, Windows, pair, require_sliding
from ..typing import Array, Pair, Shape
from .checks import require_count
from .init import WeightInit, constant, initial_weights
from .layer import Layer
from .parameter import Parameter

__all__ = ["ConvTranspose2d"]


class ConvTranspose2d(Layer):
    """Upsample images: the transpose of a `Conv2d`, with learned filters.

        y[n, o, S·i + D·u - P, S·j + D·v - P] += x[n,c,i,j] · w[c,o,u,v]

    Input (N, C, H, W), output (N, FN, OH, OW) with ``OH = (H-1)·S - 2P + D·(FH-1) + 1 +
    output_padding``. The arguments are those of PyTorch. Gradients and sources:
    `pellucid.ops.conv_transpose`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and FN.
    kernel_size, stride, dilation : int or (int, int)
        Those of the convolution that this transposes: stride enlarges.
    padding : int, two (vertical, horizontal), four (top, bottom, left, right), or a word
        Its padding, which is cropped. Not as in PyTorch: "same" leaves ``H·S`` rows, and
        "same_lower" too, but an odd one is cropped at the beginning.
    output_padding : int or (int, int)
        Extra rows and columns at the end: selects one of the sizes that round down to one output.
    groups : int
        Number of groups that both channels are divided into.
    bias : bool
        Whether to add a learned bias to each output channel.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`. The bias starts at 0.
    rng : numpy.random.Generator
        Draws them.

    Attributes
    ----------
    weight : Parameter (C, FN/groups, FH, FW)
    bias : Parameter (FN,), or None

    Examples
    --------
    >>> up = ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
    >>> up.output_shape((16, 14, 14))
    (8, 28, 28)
    """

    short_name = "transposed"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        *,
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = require_count(in_channels, "in_channels")
        self.out_channels = require_count(out_channels, "out_channels")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = pair(stride, "stride")
        require_sliding(padding, "floor")
        self.padding = padding
        self.output_padding = pair(output_padding, "output_padding", least=0)
        self.groups = require_count(groups, "groups")
        self.dilation = pair(dilation, "dilation")
        self.weight_init = weight_init
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"must divide {in_channels} input and {out_channels} output channels evenly, "
                f"received {groups}.",
                where="groups",
            )
        # Drawn as for a convolution from C to FN; the order of independent numbers does not matter.
        drawn = (out_channels // groups, in_channels // groups, *self.kernel_size)
        shape = (in_channels, out_channels // groups, *self.kernel_size)
        weight = initial_weights(drawn, weight_init, rng, places=(groups,))
        self.weight = Parameter(weight.reshape(shape))
        self.bias = Parameter(constant((out_channels,), 0), decay=0.0) if bias else None

    def forward(self, x: Array) -> Array:
        """Return the upsampled images (N, FN, OH, OW) for ``x`` (N, C, H, W)."""
        self.remember(x)
        b = None if self.bias is None else self.bias.data
        return ops.conv_transpose2d(x, self.weight.data, b, **self._sliding)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W) for ``dy`` (N, FN, OH, OW)."""
        (x,) = self.recall()
        dx, dw, db = ops.conv_transpose2d_backward(dy, x, self.weight.data, **self._sliding)
        self.weight.grad = dw
        if self.bias is not None:
            self.bias.grad = db
        return dx

    def windows(self, input_shape: Shape) -> Windows:
        """Return the windows of the convolution that this transposes."""
        return ops.conv_transpose2d_windows(input_shape, self.weight.data.shape, **self._sliding)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (FN, OH, OW)."""
        return self.out_channels, *self.windows(input_shape).input

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``H·W·C·(FN/groups)·FH·FW``."""
        return self.windows(input_shape).count * math.prod(self.weight.data.shape)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, its step divided by the stride."""
        return field.through_transposed(self.windows(input_shape))

    @property
    def _sliding(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "groups": self.groups,
            "dilation": self.dilation,
        }
