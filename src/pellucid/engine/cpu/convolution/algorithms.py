"""The passes over images: what computes a convolution's output, and its gradient for the input.

A `Windows` says how the filter moves. Each class here is one algorithm, with its filters packed and
its tables made; they take channels-last arrays.
"""

from __future__ import annotations

import math

import numpy as np

from ....kernels.convolution import direct, pooled_input_gradient, winograd
from ....kernels.convolution.geometry import Sliding, runs, sliding, through
from ....kernels.jit import LANES, REGISTERS
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat

__all__ = [
    "Direct",
    "GivingBack",
    "Source",
    "WinnersGivingBack",
    "Winograd",
    "evenly",
    "patches_together",
    "strips_pay",
    "up",
]

NOTHING = np.zeros(1, dtype=np.float32)
NO_BYTES = np.zeros(1, dtype=np.uint8)

PATCHES, LEAST = 48, 24  # that share one pass over the transformed filters, most and fewest
NEAR = 2**20  # bytes of patches, before and after the products, that stay in a core's own cache
MANY = 100  # taps, whose products take much longer than what comes behind them
BANDS = 8  # tasks that a batch should have at least, if its images are large


class Source:
    """A gradient on its way in: dy, and what tells where it goes."""

    def __init__(self, dy: Array, gate: Array | None = None, won: Array | None = None) -> None:
        self.x, self.rectified = flat(dy), gate is not None
        self.gate = NOTHING if gate is None else flat(gate)
        self.won = NO_BYTES if won is None else flat(won)


class Direct:
    """Sums over the window's runs, whatever the stride, the dilation and the groups."""

    name = "convolution"
    can_turn = True

    def __init__(self, s: Sliding, windows: Windows, pool: int, *, flip: bool) -> None:
        self.s, self.flip, self.turned = s, flip, False
        (fh, fw), depth, per_group = windows.window, s.c // s.groups, s.f // s.groups
        # Few filters leave lanes empty, where those of the next windows find room.
        self.beside = _beside(s, windows)
        fw += (self.beside - 1) * s.step_w
        every = self.beside * per_group
        cells = runs(windows, s, pool)
        self.at = (cells[0, :, np.newaxis] + np.arange(fh * fw * depth // cells.shape[1])).ravel()
        # Where a tile is soon done, the next one should begin while its sums are written.
        most = REGISTERS * 2 // 5 if pool == 1 and self.at.size < MANY else REGISTERS
        height, vectors = direct.tile_shape(s.ow // self.beside, every, pool * pool, most)
        self.over = (cells[:, :1] + np.arange(height) * self.beside * s.step_w * s.depth).ravel()
        self.run = direct.forward(height, vectors, pool * pool)
        wide = up(every, vectors * LANES)
        self.filters = aligned_zeros((s.groups, fh, fw, depth, wide))
        self.row = aligned_zeros((s.groups, wide))
        self.bias = self.row[:, :every].reshape(s.groups, self.beside, per_group)
        self.uses = (direct.pack, self.run)
        self.work = s.oh * s.ow * s.f * pool * pool * self.at.size

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        direct.pack(w, self.s.groups, self.flip, self.beside, self.s.step_w, self.filters)

    def __call__(
        self, source: Source, n: int, y: Array, arg: Array, rectify: bool, keep: bool = True
    ) -> None:
        """Write the output ``y`` of ``n`` images, and if wished, which cell won."""
        s = self.s
        bands = 1 if n >= BANDS else min(s.oh, -(-BANDS // n))
        # What a ReLU had stopped is taken out on the way into a room.
        in_place = s.in_place and not source.rectified
        launch(
            self.run, n * bands, n * self.work, source.x, source.gate, source.won,
            flat(self.filters), flat(self.row), flat(y), flat(arg) if keep else NO_BYTES, self.at,
            self.over, s, in_place, bands, self.beside, source.rectified, rectify, self.turned,
        )  # fmt: skip


def _beside(s: Sliding, windows: Windows) -> int:
    """Return how many windows beside each other share a vector: they read what lies between.

    What they read of each other counts 0, but 0 times infinity is NaN: a cell that is not finite
    is seen by its neighbours' windows too, and missed by none.
    """
    whole = s.groups == windows.dilation[1] == 1
    gains = s.step_w < windows.window[1]
    return max(1, min(LANES // s.f, s.ow)) if whole and gains else 1


class Winograd:
    """36 products instead of 144, for 3x3 windows one by one."""

    name = "Winograd convolution"
    can_turn = False

    def __init__(self, s: Sliding, windows: Windows, pool: int, *, flip: bool) -> None:
        self.flip = flip
        down, across = (-(-side * pool // 4) for side in (s.oh, s.ow))
        deep = direct.whole_vectors(s.c)
        self.s = s._replace(rows=4 * down + 2, pitch=4 * across + 2, depth=deep)
        self.patches, self.together = down * across, patches_together(s.c + s.f)
        tile = direct.tile_shape(self.together, s.f)
        self.height = tile[0]
        self.run = winograd.forward(*tile, pool)
        wide = up(s.f, tile[1] * LANES)
        self.filters = aligned_zeros((36, deep, wide))
        self.row = aligned_zeros(wide)
        self.bias = self.row[: s.f].reshape(1, 1, s.f)
        self.uses = (winograd.filters_forward, self.run)
        self.work = 36 * down * across * s.c * s.f

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C, 3, 3), transformed."""
        channels = len(w) if self.flip else w.shape[1]
        launch(winograd.filters_forward, channels, 9 * w.size, w, self.flip, self.filters)

    def __call__(
        self, source: Source, n: int, y: Array, arg: Array, rectify: bool, keep: bool = True
    ) -> None:
        """Write the output ``y`` of ``n`` images, and which cell won."""
        patches = n * self.patches
        together = up(evenly(patches, self.together), self.height)
        launch(
            self.run, -(-patches // together), n * self.work, source.x, source.gate, source.won,
            flat(self.filters), self.row, flat(y), flat(arg), self.s, patches, together,
            source.rectified, rectify,
        )  # fmt: skip


class GivingBack:
    """dx as the textbook's col2im: each window gives its share back, a run at a time."""

    def __init__(self, windows: Windows, channels: int, filters: int, groups: int) -> None:
        self.s, self.d = sliding(windows, channels, filters, groups), through(windows, filters)
        self.at = runs(windows, self.s).ravel()
        fh, (per_group, depth) = windows.window[0], (filters // groups, channels // groups)
        self.length = math.prod(windows.window) * depth // self.at.size
        tile = direct.tile_shape(self.d.pitch, self.length)
        self.run = direct.backward_images(*tile)
        wide = up(self.length, tile[1] * LANES)
        shape = (groups, fh, self.at.size // fh, per_group, wide)
        self.filters = aligned_zeros(shape)
        self.uses = (direct.pack_rows, self.run)
        self.work = self.filters.size * self.d.rows * self.d.pitch

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        direct.pack_rows(w, self.s.groups, self.filters)

    def __call__(self, source: Source, n: int, y: Array, arg: Array, rectify: bool) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.run, n, n * self.work, source.x, source.gate, source.won, flat(self.filters),
            flat(y), self.at, self.s, self.d, self.length, source.rectified,
        )  # fmt: skip


class WinnersGivingBack:
    """dx behind a pooling: each window that won gives its share back."""

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, pool: int
    ) -> None:
        s = self.s = sliding(windows, channels, filters, groups, pool)
        self.first, self.starts, self.apart = pooled_input_gradient.places(windows, s)
        fh, per_group, depth = windows.window[0], filters // groups, channels // groups
        self.length = math.prod(windows.window) * depth // self.starts.size
        tile = pooled_input_gradient.tile_shape(self.starts.shape[1], self.length)
        self.run = pooled_input_gradient.backward_images(*tile)
        wide = up(self.length, tile[1] * LANES)
        shape = (groups, fh, self.starts.size // fh, per_group, wide)
        self.filters = aligned_zeros(shape)
        self.uses = (direct.pack_rows, self.run)
        self.work = self.filters.size * s.oh * s.ow

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        direct.pack_rows(w, self.s.groups, self.filters)

    def __call__(self, source: Source, n: int, y: Array, arg: Array, rectify: bool) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.run, n, n * self.work, source.x, source.won, flat(self.filters), flat(y),
            self.first, self.starts, self.apart, self.s, self.length,
        )  # fmt: skip


def strips_pay(windows: Windows, s: Sliding) -> bool:
    """Return whether a window is fewer vectors in one piece than in runs."""
    taps, pieces = math.prod(windows.window) * s.c // s.groups, runs(windows, s).size
    return -(-taps // LANES) < pieces * -(-taps // pieces // LANES)


def patches_together(numbers: int) -> int:
    """Return how many patches of so many ``numbers`` a place go through the products together."""
    return max(LEAST, min(PATCHES, NEAR // (4 * 36 * numbers)))


def evenly(n: int, together: int) -> int:
    """Return at most ``together`` of ``n``, so that 4, 8, 12, ... tasks share them out evenly."""
    tasks = up(-(-n // together), 4)
    return -(-n // tasks)


def up(n: int, k: int) -> int:
    """Return ``n`` rounded up to a multiple of ``k``."""
    return -(-n // k) * k
