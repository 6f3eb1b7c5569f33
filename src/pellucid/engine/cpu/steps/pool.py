"""The pooling steps: windows that slide over channels-last images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ....kernels import pooling
from ....kernels.blocks import each
from ....kernels.pooling import Taps
from ....memory import aligned_zeros
from ....nn import AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, LpPool2d, MaxPool2d
from ....ops.pooling import cells_that_count
from ....shapes import Windows, slide
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import serves

__all__ = ["AvgPoolStep", "GlobalAvgPoolStep", "GlobalMaxPoolStep", "LpPoolStep", "MaxPoolStep"]

Global: TypeAlias = GlobalAvgPool2d | GlobalMaxPool2d
Sliding: TypeAlias = MaxPool2d | AvgPool2d | LpPool2d

BYTE = 256  # cells of a window that one byte can tell apart


class _PoolStep(Step):
    """What the pooling steps share: how the window slides, and the buffers."""

    channels_last = True
    passes: ClassVar[tuple[Any, ...]] = (pooling.sums,)  # the last one is of the backward alone

    def __init__(self, name: str, layer: Sliding | Global, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.windows = windows = _windows(layer, input_shape)
        self._reads = pooling.reads(windows, 0), pooling.reads(windows, 1)
        self._readers = pooling.readers(windows, 0), pooling.readers(windows, 1)
        self._y = aligned_zeros((batch, *windows.output, input_shape[0]))
        self._dx = aligned_zeros((batch, *windows.input, input_shape[0]))

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return self.passes if training else self.passes[:-1]


@serves(MaxPool2d)
class MaxPoolStep(_PoolStep):
    """Max pooling."""

    kernel = "max pooling"
    passes = (pooling.max_forward, pooling.max_backward)

    def __init__(
        self, name: str, layer: MaxPool2d | GlobalMaxPool2d, input_shape: Shape, batch: int
    ) -> None:
        super().__init__(name, layer, input_shape, batch)
        self._small = self.windows.window[0] * self.windows.window[1] <= BYTE
        used, unused = self._y.size, 1
        self._argmax = aligned_zeros(used if self._small else unused, np.uint8)
        self._wide = aligned_zeros(unused if self._small else used)

    def forward(self, x: Array) -> Array:
        """Return the maxima."""
        y = self._y[: len(x)]
        fw = self.windows.window[1]
        args = (x, y, self._argmax, self._wide, *self._reads, fw, self._small)
        _run(pooling.max_forward, y, self._reads, *args)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Scatter ``dy`` to the arg-max of each window."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        fw = self.windows.window[1]
        args = (dy, self._argmax, self._wide, dx, *self._readers, fw, self._small)
        _run(pooling.max_backward, dx, self._readers, *args)
        return dx


@serves(GlobalMaxPool2d)
class GlobalMaxPoolStep(MaxPoolStep):
    """Max pooling over the whole image."""

    kernel = "global max pooling"


@serves(AvgPool2d)
class AvgPoolStep(_PoolStep):
    """Average pooling."""

    layer: AvgPool2d | GlobalAvgPool2d
    kernel = "average pooling"
    passes = (pooling.sums, pooling.sums)

    def __init__(
        self, name: str, layer: AvgPool2d | GlobalAvgPool2d, input_shape: Shape, batch: int
    ) -> None:
        super().__init__(name, layer, input_shape, batch)
        self.layer = layer
        padded = self.windows.padded != self.windows.input
        self._share = aligned_zeros(self._y.shape if padded else 0)
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
        """Return each ``dy``, spread evenly over its window."""
        if not need_dx:
            return None
        dx, shares = self._dx[: len(dy)], self._shares()
        if any((share != share[0]).any() for share in shares):
            of_windows = shares[0][:, np.newaxis, np.newaxis] * shares[1][:, np.newaxis]
            dy = np.multiply(dy, of_windows, out=self._share[: len(dy)])
            shares = np.ones(1, np.float32), np.ones(1, np.float32)
        of_cells = [np.full(n, share[0]) for n, share in zip(dx.shape[1:3], shares, strict=True)]
        _sums(dy, dx, self._readers, *of_cells)
        return dx

    def _shares(self) -> tuple[Array, Array]:
        """Return one over how many rows each window counts, and the same of columns."""
        everything = getattr(self.layer, "count_include_pad", True)  # global pooling has no padding
        counts = (self._counts[axis, bool(everything)] for axis in (0, 1))
        rows, columns = ((1 / count).astype(np.float32) for count in counts)
        return rows, columns


@serves(GlobalAvgPool2d)
class GlobalAvgPoolStep(AvgPoolStep):
    """Average pooling over the whole image."""

    kernel = "global average pooling"


@serves(LpPool2d)
class LpPoolStep(_PoolStep):
    """Lp pooling: powers, their sums, and the root of those."""

    layer: LpPool2d
    kernel = "Lp pooling"
    passes = (pooling.powers, pooling.sums, pooling.times_powers)

    def __init__(self, name: str, layer: LpPool2d, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer, input_shape, batch)
        self.layer = layer
        self._ones = tuple(np.ones(n, dtype=np.float32) for n in self.windows.output)
        self._all_ones = tuple(np.ones(n, dtype=np.float32) for n in self.windows.input)
        self._powers, self._slopes = aligned_zeros(self._dx.shape), aligned_zeros(self._y.shape)

    def forward(self, x: Array) -> Array:
        """Return the norms."""
        self._p = p = float(self.layer.norm_type)
        if not 1 <= p < np.inf:
            return self.layer(np.moveaxis(x, -1, 1))  # which refuses it
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


def _windows(layer: Sliding | Global, input_shape: Shape) -> Windows:
    """Return how the window slides; that of global pooling is the image."""
    if isinstance(layer, GlobalAvgPool2d | GlobalMaxPool2d):
        _, h, w = input_shape
        return slide((h, w), (h, w))
    return layer.windows(input_shape)


def _sums(x: Array, y: Array, taps: tuple[Taps, Taps], left: Array, right: Array) -> None:
    _run(pooling.sums, y, taps, x, y, *taps, left, right)


def _run(kernel: Any, y: Array, taps: tuple[Taps, Taps], *args: Any) -> None:
    """Run a kernel that fills ``y`` through ``taps``, a band of rows a task."""
    n, rows, width, channels = y.shape
    cells = max(1, taps[0].most * taps[1].most)
    per = pooling.band(width * channels * cells)
    launch(kernel, -(-n * rows // per), y.size * cells, *args, per)
