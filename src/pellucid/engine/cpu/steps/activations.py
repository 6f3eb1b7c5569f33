"""The steps of the activations that `pointwise` does not have, and of functions of each number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....kernels import rectifiers, smooth_activations
from ....kernels.blocks import BLOCK
from ....kernels.convolution import activation as kinds
from ....kernels.convolution.activation import Activation, clipping
from ....kernels.normalization import period, whole_pixels
from ....kernels.tree import tree_sum
from ....memory import aligned_zeros
from ....nn import (
    CELU,
    ELU,
    GELU,
    SELU,
    Abs,
    Clip,
    Erf,
    Exp,
    Hardsigmoid,
    Hardswish,
    Log,
    Mish,
    Negative,
    Power,
    PReLU,
    Reciprocal,
    ReLU6,
    Softplus,
    Softsign,
    Sqrt,
    ThresholdedReLU,
)
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import bounds_of, flat, serves, weights
from .pixel_blocks import ChunkBlocks
from .pointwise import PointwiseStep

__all__ = [
    "CELUStep",
    "ClipStep",
    "ELUStep",
    "ErfStep",
    "FunctionStep",
    "GELUStep",
    "HardsigmoidStep",
    "HardswishStep",
    "MishStep",
    "PReLUStep",
    "SELUStep",
    "SoftplusStep",
]


class _OfItsInput(PointwiseStep):
    """Base class: a step whose gradient is computed from its input."""

    reads_output = False

    def remembered(self) -> Array:
        """Return the last input."""
        return self._x


@serves(Clip, ReLU6)
class ClipStep(PointwiseStep):
    """``min(max(x, low), high)``."""

    kernels = (rectifiers.clip, rectifiers.clip_backward)

    def constants(self) -> tuple[float, ...]:
        """Return the bounds."""
        return bounds_of(self.layer)

    def in_passing(self) -> Activation | None:
        """Return the bounds."""
        return clipping(*self.constants())


@serves(Hardsigmoid)
class HardsigmoidStep(PointwiseStep):
    """``α·x + β``, clipped to [0, 1]."""

    kernels = (rectifiers.hardsigmoid, rectifiers.hardsigmoid_backward)

    def constants(self) -> tuple[float, ...]:
        """Return α and β."""
        return float(self.layer.alpha), float(self.layer.beta)

    def in_passing(self) -> Activation | None:
        """Return the function."""
        return Activation(kinds.HARDSIGMOID, *self.constants())


@serves(Hardswish)
class HardswishStep(_OfItsInput):
    """``x`` times its hard sigmoid."""

    kernels = (rectifiers.hardswish, rectifiers.hardswish_backward)

    def in_passing(self) -> Activation | None:
        """Return the function."""
        return Activation(kinds.HARDSWISH)


@serves(GELU)
class GELUStep(_OfItsInput):
    """``x · Φ(x)``, or its approximation by tanh."""

    EXACT = (smooth_activations.gelu, smooth_activations.gelu_backward)
    BY_TANH = (smooth_activations.gelu_by_tanh, smooth_activations.gelu_by_tanh_backward)

    @property
    def kernels(self) -> tuple[Any, Any]:  # type: ignore[override]
        """The kernels that the layer asks for."""
        return self.BY_TANH if self.layer.approximate == "tanh" else self.EXACT

    def in_passing(self) -> Activation | None:
        """Return the function, if it is the exact one."""
        return Activation(kinds.GELU) if self.layer.approximate == "none" else None


@serves(Erf)
class ErfStep(_OfItsInput):
    """The error function."""

    kernels = (smooth_activations.erf, smooth_activations.erf_backward)


@serves(ELU)
class ELUStep(_OfItsInput):
    """``x`` above zero, ``α · (e^x - 1)`` below."""

    kernels = (smooth_activations.elu, smooth_activations.elu_backward)

    def constants(self) -> tuple[float, ...]:
        """Return slope above zero, factor below, and rate of the exponential."""
        return 1.0, float(self.layer.alpha), 1.0


@serves(CELU)
class CELUStep(ELUStep):
    """``x`` above zero, ``α · (e^(x/α) - 1)`` below."""

    def constants(self) -> tuple[float, ...]:
        """Return slope above zero, factor below, and rate of the exponential."""
        return 1.0, float(self.layer.alpha), 1 / float(self.layer.alpha)


@serves(SELU)
class SELUStep(ELUStep):
    """``scale`` times the ELU."""

    def constants(self) -> tuple[float, ...]:
        """Return slope above zero, factor below, and rate of the exponential."""
        scale = float(self.layer.scale)
        return scale, scale * float(self.layer.alpha), 1.0


@serves(Softplus)
class SoftplusStep(_OfItsInput):
    """``log(1 + e^(β·x)) / β``."""

    kernels = (smooth_activations.softplus, smooth_activations.softplus_backward)

    def constants(self) -> tuple[float, ...]:
        """Return β."""
        return (float(self.layer.beta),)


@serves(Mish)
class MishStep(_OfItsInput):
    """``x`` times the tanh of its softplus."""

    kernels = (smooth_activations.mish, smooth_activations.mish_backward)


@serves(Abs, Exp, Log, Negative, Power, Reciprocal, Softsign, Sqrt, ThresholdedReLU)
class FunctionStep(Step):
    """A function of each number that NumPy computes: the layer itself, on images of any layout."""

    kernel = "plain NumPy"

    def __init__(self, name: str, layer: Any, input_shape: Shape, batch: int) -> None:
        super().__init__(name, input_shape)
        self.layer = layer

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        return np.ascontiguousarray(self.layer(x), dtype=np.float32)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the layer's gradient."""
        if not need_dx:
            return None
        return np.ascontiguousarray(self.layer.backward(dy), dtype=np.float32)


@serves(PReLU)
class PReLUStep(Step):
    """``x`` above zero, and ``x`` times the slope of its channel below."""

    sums_by_share = cheap = True
    reads_output = False

    def __init__(self, name: str, layer: PReLU, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.layer, self.kernel, c = layer, "prelu", layer.num_parameters
        self.channels_last = None if c == 1 else True
        self._slopes = aligned_zeros(period(c))
        self._y = self.output((batch, math.prod(input_shape)))
        self._dx = self.input_gradient(self._y.shape)
        self._per = whole_pixels(BLOCK, c)
        self._scratch = self._sums = aligned_zeros(0)  # of the gradients, with the first backward

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        self._x, y = x, self._y[: len(x)].reshape(x.shape)
        cut = ChunkBlocks.of_one_chunk(len(x), math.prod(x.shape[1:]), self._per)
        c = self.layer.num_parameters
        self._slopes.reshape(-1, c)[:] = weights(self.layer.weight, (c,), self.name)
        launch(rectifiers.prelu, len(cut), x.size, flat(x), flat(y), self._slopes, cut.bounds)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradient of the slopes; return that of the input."""
        dx, cut = self._dx[: len(dy)].reshape(dy.shape), self._cut(dy)
        if len(self._sums) < len(cut):
            self._scratch = aligned_zeros((len(cut), len(self._slopes)))
            self._sums = np.empty((len(cut), self.layer.num_parameters))
        launch(
            rectifiers.prelu_backward, len(cut), 2 * dy.size, flat(dy), flat(self._x), flat(dx),
            self._slopes, cut.bounds, self._scratch, self._sums,
        )  # fmt: skip
        if self.learns:
            weight = self.layer.weight
            parts = cut.chunk_sums(self._sums[: len(cut)])
            self.gradient(weight)[:] = tree_sum(parts.astype(weight.data.dtype))
        return dx if need_dx else None

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return (rectifiers.prelu, *(rectifiers.prelu_backward,) * training)

    def _cut(self, x: Array) -> ChunkBlocks:
        size = math.prod(x.shape[1:])
        return ChunkBlocks.of(self.share.bounds(self.share.chunks), size, self._per)
