"""Convolutional and fully connected layers in 8-bit integers, for inference."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..ops.linear import require_features
from ..receptive import ReceptiveField
from ..shapes import Misfit, Padding
from ..typing import Array, Pair, Shape
from .conv import Conv2d
from .init import constant
from .layer import Layer
from .linear import Linear
from .parameter import Buffer

__all__ = ["QuantizedConv2d", "QuantizedLinear"]

MOST_TERMS = (2**31 - 1) // (255 * 127)  # products whose sum certainly fits in 32 bits


class Quantized(Layer):
    """Base class: bytes for weights, one scale and zero point for the input; no gradients.

    Attributes
    ----------
    kind : class of Layer
        The layer that it is in 8-bit integers.
    weight : Buffer of int8
    weight_scale : Buffer (FN,)
    bias : Buffer (FN,), or None
    """

    inference_only = True
    kind: ClassVar[type[Layer]]
    weight: Any
    bias: Any

    def _hold(self, shape: Shape, bias: bool, scale: float, zero_point: int) -> None:
        """Check the input's scale and zero point, and make room for the weights."""
        good = isinstance(scale, Real) and 0 < float(scale) < math.inf
        if not good or isinstance(scale, bool):
            raise ArgumentError(
                f"expects a finite number above 0, received {scale!r}.", where="input_scale"
            )
        whole = isinstance(zero_point, int | np.integer) and not isinstance(zero_point, bool)
        if not whole or not 0 <= zero_point <= 255:
            raise ArgumentError(
                f"must be an integer from 0 to 255, received {zero_point!r}.", where="zero_point"
            )
        require_few_terms(math.prod(shape[1:]), type(self).__name__)
        self.input_scale, self.zero_point = float(scale), int(zero_point)
        self.weight = Buffer(constant(shape, 0, np.int8))
        self.weight_scale = Buffer(constant(shape[:1], 1))
        self.bias = Buffer(constant(shape[:1], 0)) if bias else None

    @classmethod
    def of(cls, layer: Any, input_scale: float, zero_point: int) -> Self:
        """Return ``layer`` in 8-bit integers, for inputs of this scale and zero point.

        Raises
        ------
        ArgumentError
            If a weight is not finite, or a sum has too many terms for 32 bits.
        """
        options = {k: v for k, v in layer.config().items() if k != "weight_init"}
        make: Any = cls
        made: Self = make(**options, input_scale=input_scale, zero_point=zero_point)
        made.weight.data, made.weight_scale.data = ops.quantize_weights(layer.weight.data)
        if layer.bias is not None:
            made.bias.data = layer.bias.data.astype(np.float32)
        return made

    def dequantized(self) -> Array:
        """Return the weights as real numbers, in float32."""
        scales = self.weight_scale.data.reshape(-1, *(1,) * (self.weight.data.ndim - 1))
        w: Array = self.weight.data * scales.astype(np.float32)
        return w

    def backward(self, dy: Array) -> NoReturn:
        """Refuse: rounded numbers have no useful gradient.

        Raises
        ------
        ArgumentError
        """
        raise ArgumentError(
            "is quantized for inference, and has no gradient. Train the float model, then quantize "
            "it again.",
            where=self._label,
        )

    def fixed_weights(self) -> tuple[int, int]:
        """Return the number of weights and biases, and the bytes of these and of the scales."""
        held = [one.data for one in (self.weight, self.bias) if one is not None]
        size = sum(one.nbytes for one in held) + self.weight_scale.data.nbytes
        return sum(one.size for one in held), size

    @property
    def _codes(self) -> dict[str, Any]:
        return {"scale": self.input_scale, "zero_point": self.zero_point}


class QuantizedConv2d(Quantized, Conv2d):
    """Convolve images with filters of 8-bit integers.

    Equations: `pellucid.ops.quantized`. Input (N, C, H, W) and output (N, FN, OH, OW) are real
    numbers; the input is quantized first. `pellucid.quantize` makes it of a trained `Conv2d`.
    There is no gradient. Source: Jacob et al. 2017, section 2.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, misfit
        As for `Conv2d`.
    input_scale : float
        The step between the codes of the input.
    zero_point : int
        The code of 0, from 0 to 255.

    Attributes
    ----------
    weight : Buffer (FN, C/groups, FH, FW) of int8
    weight_scale : Buffer (FN,)
        The step between the codes of each filter.
    bias : Buffer (FN,), or None

    Examples
    --------
    >>> conv = Conv2d(1, 30, 5, rng=np.random.default_rng(0))
    >>> small = QuantizedConv2d.of(conv, input_scale=1 / 255, zero_point=0)
    >>> small
    QuantizedConv2d(1, 30, 5, input_scale=0.00392156862745098)
    >>> x = np.random.default_rng(1).random((2, 1, 28, 28), dtype=np.float32)
    >>> bool(abs(small(x) - conv(x)).max() < 0.01 * abs(conv(x)).max())
    True
    """

    short_name = "conv int8"
    pattern_word = None  # type: ignore[assignment]
    kind = Conv2d

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
        input_scale: float = 1.0,
        zero_point: int = 0,
    ) -> None:
        Conv2d.__init__(
            self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            misfit=misfit, weight_init=0.0,
        )  # fmt: skip
        self._hold(self.weight.data.shape, bias, input_scale, zero_point)

    def forward(self, x: Array) -> Array:
        """Return the feature maps (N, FN, OH, OW) of ``x`` (N, C, H, W)."""
        b = None if self.bias is None else self.bias.data
        y = ops.quantized_conv2d(
            x, self.weight.data, self.weight_scale.data, b, groups=self.groups, **self._codes,
            **self._sliding,
        )  # fmt: skip
        return y.astype(np.result_type(x.dtype, y), copy=False)

    def image_filters(self) -> Array:
        """Return the weights (FN, C/groups, FH, FW) as real numbers."""
        return self.dequantized()


class QuantizedLinear(Quantized):
    """Connect every input with every output, with weights of 8-bit integers.

    Equations: `pellucid.ops.quantized`. Input (N, ..., in) and output (N, ..., out) are real
    numbers; the input is quantized first. `pellucid.quantize` makes it of a trained `Linear`.
    There is no gradient. Source: Jacob et al. 2017, section 2.

    Parameters
    ----------
    in_features, out_features, bias
        As for `Linear`.
    input_scale : float
        The step between the codes of the input.
    zero_point : int
        The code of 0, from 0 to 255.

    Attributes
    ----------
    weight : Buffer (out, in) of int8
    weight_scale : Buffer (out,)
        The step between the codes of each output's weights.
    bias : Buffer (out,), or None

    Examples
    --------
    >>> linear = Linear(100, 10, rng=np.random.default_rng(0))
    >>> small = QuantizedLinear.of(linear, input_scale=0.1, zero_point=128)
    >>> small(np.zeros((7, 100), dtype=np.float32)).shape, small.weight
    ((7, 10), Buffer(shape=(10, 100), dtype=int8))
    """

    one_size = True
    short_name = "linear int8"
    kind = Linear

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        input_scale: float = 1.0,
        zero_point: int = 0,
    ) -> None:
        linear = Linear(in_features, out_features, bias, weight_init=0.0)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._hold(linear.weight.data.shape, bias, input_scale, zero_point)

    def forward(self, x: Array) -> Array:
        """Return ``x·wᵀ + b`` (N, ..., out) for ``x`` (N, ..., in)."""
        b = None if self.bias is None else self.bias.data
        y = ops.quantized_linear(x, self.weight.data, self.weight_scale.data, b, **self._codes)
        return y.astype(np.result_type(x.dtype, y), copy=False)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out,), or (..., out) of more axes."""
        require_features(input_shape, self.in_features)
        return *input_shape[:-1], self.out_features

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``in·out``, for each row of an image."""
        return math.prod(input_shape[:-1]) * self.in_features * self.out_features

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return a field of the whole input."""
        return replace(field, everything=True)


def require_few_terms(terms: int, where: str) -> None:
    """Refuse a sum of products of bytes that may not fit into 32 bits."""
    if terms > MOST_TERMS:
        raise ArgumentError(
            f"adds {terms:,} products of bytes, and 32 bits hold the sum of {MOST_TERMS:,}. Leave "
            "this layer in float32.",
            where=where,
        )
