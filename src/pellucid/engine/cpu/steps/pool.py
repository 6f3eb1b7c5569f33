"""The pooling steps: windows that slide over channels-last images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from ....kernels import max_pooling, pooling
from ....kernels.blocks import each
from ....kernels.pool.threads import run_python
from ....nn import (
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalLpPool2d,
    GlobalMaxPool2d,
    LpPool2d,
    MaxPool2d,
    Mean,
)
from ....ops.pooling import cells_that_count
from ....shapes import Windows, slide
from ....typing import Array, Shape
from ...reserved import Use
from ...step import Step
from ..launch import launch
from ..max_pooling import MaxPooling, run_bands
from .base import flat, serves

__all__ = [
    "AdaptiveMaxPoolStep",
    "AvgPoolStep",
    "GlobalAvgPoolStep",
    "GlobalLpPoolStep",
    "GlobalMaxPoolStep",
    "LpPoolStep",
    "MaxPoolStep",
    "MeanStep",
]

Global: TypeAlias = GlobalAvgPool2d | GlobalMaxPool2d | GlobalLpPool2d | AdaptiveMaxPool2d | Mean
Sliding: TypeAlias = MaxPool2d | AvgPool2d | LpPool2d


class _PoolStep(Step):
    """Base class: the geometry of the windows, and the buffers."""

    channels_last = by_image = cheap = True
    reads_input = reads_output = False
    passes: Sequence[Any] = (pooling.sums,)  # the last one is used by the backward alone

    def __init__(self, name: str, layer: Sliding | Global, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.windows = windows = _windows(layer, input_shape)
        self._y = self.output((batch, *windows.output, input_shape[0]))
        self._dx = self.input_gradient((batch, *windows.input, input_shape[0]))

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return self.passes if training else self.passes[:-1]

    @cached_property
    def _reads(self) -> pooling.Taps:
        return pooling.reads(self.windows)

    @cached_property
    def _readers(self) -> pooling.Taps:
        return pooling.readers(self.windows)


@serves(MaxPool2d)
class MaxPoolStep(_PoolStep):
    """Max pooling."""

    kernel = "max pooling"
    layer: MaxPool2d | GlobalMaxPool2d | AdaptiveMaxPool2d
    passes = (max_pooling.forward, max_pooling.backward)

    def __init__(
        self,
        name: str,
        layer: MaxPool2d | GlobalMaxPool2d | AdaptiveMaxPool2d,
        input_shape: Shape,
        batch: int,
    ) -> None:
        super().__init__(name, layer, input_shape, batch)
        self._max_pooling = MaxPooling(self.windows)
        self._argmax = self.kept(self._y.shape, self._max_pooling.argmax_type)

    def forward(self, x: Array) -> Array:
        """Return the maxima."""
        y = self._y[: len(x)]
        self._max_pooling.forward(x, y, flat(self._argmax[:]) if self.keeps else None)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Scatter ``dy`` to the argmax of each window."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        self._max_pooling.backward(dy, flat(self._argmax[:]), dx)
        return dx


@serves(GlobalMaxPool2d)
class GlobalMaxPoolStep(MaxPoolStep):
    """Max pooling over the whole image."""

    kernel = "global max pooling"


@serves(AdaptiveMaxPool2d)
class AdaptiveMaxPoolStep(MaxPoolStep):
    """Max pooling over bins of one size."""

    @classmethod
    def takes(cls, layer: AdaptiveMaxPool2d, input_shape: Shape) -> bool:
        """Return whether the bins divide the image."""
        _, oh, ow = layer.output_shape(input_shape)
        return input_shape[1] % oh == input_shape[2] % ow == 0


@serves(AvgPool2d)
class AvgPoolStep(_PoolStep):
    """Average pooling."""

    layer: AvgPool2d | GlobalAvgPool2d | Mean
    kernel = "average pooling"
    passes = (pooling.sums, pooling.sums)

    def __init__(
        self,
        name: str,
        layer: AvgPool2d | GlobalAvgPool2d | Mean,
        input_shape: Shape,
        batch: int,
    ) -> None:
        super().__init__(name, layer, input_shape, batch)
        self.layer = layer
        padded = self.windows.padded != self.windows.input
        self._share = self.scratch(self._y.shape if padded else 0)
        self._counts = {
            (axis, padding): cells_that_count(self.windows, axis, include_pad=padding)
            for axis in (0, 1)
            for padding in (False, True)
        }

    def forward(self, x: Array) -> Array:
        """Return the means."""
        y = self._y[: len(x)]
        _sums(x, y, self._reads, *self._shares())
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient: each ``dy``, spread evenly over its window."""
        if not need_dx:
            return None
        dx, shares = self._dx[: len(dy)], self._shares()
        if any((share != share[0]).any() for share in shares):
            of_windows = shares[0][:, np.newaxis, np.newaxis] * shares[1][:, np.newaxis]
            spread = self._share[: len(dy)]
            run_python(np.multiply, dy, of_windows, spread)
            dy = spread
            shares = np.ones(1, np.float32), np.ones(1, np.float32)
        of_cells = [np.full(n, share[0]) for n, share in zip(dx.shape[1:3], shares, strict=True)]
        _sums(dy, dx, self._readers, *of_cells)
        return dx

    def _shares(self) -> tuple[Array, Array]:
        """Return the reciprocal number of rows that each window counts, and that of columns."""
        include = getattr(self.layer, "count_include_pad", True)  # global pooling has no padding
        counts = (self._counts[axis, bool(include)] for axis in (0, 1))
        rows, columns = ((1 / count).astype(np.float32) for count in counts)
        return rows, columns


@serves(GlobalAvgPool2d)
class GlobalAvgPoolStep(AvgPoolStep):
    """Average pooling over the whole image."""

    kernel = "global average pooling"
    passes = (pooling.whole_sums, pooling.sums)

    def forward(self, x: Array) -> Array:
        """Return the means."""
        y, (h, w), c = self._y[: len(x)], x.shape[1:3], x.shape[3]
        parts = -(-c // pooling.PART)
        launch(pooling.whole_sums, len(x) * parts, x.size, x, y, 1 / (h * w), parts)
        return y


@serves(Mean)
class MeanStep(GlobalAvgPoolStep):
    """The mean over rows and columns, whose axes may go."""

    @classmethod
    def takes(cls, layer: Mean, input_shape: Shape) -> bool:
        """Return whether it is the mean of each channel's image."""
        return len(input_shape) == 3 and sorted(axis % 4 for axis in layer.axes) == [2, 3]

    def forward(self, x: Array) -> Array:
        """Return the means."""
        y = super().forward(x)
        return y if len(self.output_shape) == 3 else y.reshape(len(y), *self.output_shape)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient: each ``dy``, spread evenly over its channel's image."""
        return super().backward(dy.reshape(len(dy), 1, 1, -1), need_dx=need_dx)


@serves(LpPool2d)
class LpPoolStep(_PoolStep):
    """Lp pooling: powers, their sums, and the roots of the sums."""

    layer: LpPool2d | GlobalLpPool2d
    kernel = "Lp pooling"
    cheap = False
    reads_input = reads_output = True
    passes = (pooling.powers, pooling.sums, pooling.times_powers)

    def __init__(
        self, name: str, layer: LpPool2d | GlobalLpPool2d, input_shape: Shape, batch: int
    ) -> None:
        super().__init__(name, layer, input_shape, batch)
        self.layer = layer
        self._ones = tuple(np.ones(n, dtype=np.float32) for n in self.windows.output)
        self._all_ones = tuple(np.ones(n, dtype=np.float32) for n in self.windows.input)
        self._powers = self.scratch(self._dx.shape, Use.EITHER)
        self._slopes = self.scratch(self._y.shape, Use.EITHER)

    def forward(self, x: Array) -> Array:
        """Return the norms."""
        self._p = p = float(self.layer.norm_type)
        if not 1 <= p < np.inf:
            return self.layer(np.moveaxis(x, -1, 1))  # which raises the error
        n, self._x = len(x), x
        y, z, sums = self._y[:n], self._powers[:n], self._slopes[:n]
        each(pooling.powers, x, z, p)
        _sums(z, sums, self._reads, *self._ones)
        each(pooling.powers, sums, y, 1 / p)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``sign(x) · |x|^(p-1) · Σ dy / y^(p-1)``."""
        if not need_dx:
            return None
        n, p, dx = len(dy), self._p, self._dx[: len(dy)]
        slopes, sums = self._slopes[:n], self._powers[:n]
        each(pooling.times_powers, dy, self._y[:n], slopes, 1 - p)
        _sums(slopes, sums, self._readers, *self._all_ones)
        each(pooling.times_powers, sums, self._x, dx, p - 1)
        return dx


@serves(GlobalLpPool2d)
class GlobalLpPoolStep(LpPoolStep):
    """Lp pooling over the whole image."""

    kernel = "global Lp pooling"


def _windows(layer: Sliding | Global, input_shape: Shape) -> Windows:
    """Return the geometry of the windows; that of global pooling is the whole image."""
    if isinstance(layer, MaxPool2d | AvgPool2d | LpPool2d):
        return layer.windows(input_shape)
    _, h, w = input_shape
    bins = layer.output_shape(input_shape)[1:] if isinstance(layer, AdaptiveMaxPool2d) else (1, 1)
    window = h // bins[0], w // bins[1]
    return slide((h, w), window, window)


def _sums(x: Array, y: Array, taps: pooling.Taps, left: Array, right: Array) -> None:
    run_bands(pooling.sums, y, taps, x, y, taps, left, right)
