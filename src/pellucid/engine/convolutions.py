"""The one place that decides which kernel serves a convolution, and lays out what it needs.

A `Windows` says how the filter moves. Each class here is one pass, forward or backward, of one
algorithm, with its filters packed and its tables made; they take channels-last arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernels import conv, winners, winners_back, winograd
from ..kernels.jit import LANES, REGISTERS
from ..kernels.sliding import Sliding, adjoint, flipped, runs, sliding, through
from ..rooms import room
from ..shapes import Windows
from ..typing import Array
from .launch import launch
from .steps import flat

__all__ = ["Source", "filter_gradient", "input_gradient", "output"]

NOTHING = np.zeros(1, dtype=np.float32)
NO_BYTES = np.zeros(1, dtype=np.uint8)

PATCHES = 48  # that share one pass over the transformed filters
NEAR = 2**20  # bytes of patches, before and after the products, that stay in a core's own cache
LARGE = 2**15  # numbers of channels times filters: the transformed ones leave the caches
FEW = 12  # channels: below that, the vectors of the transforms are mostly empty
SUMS = 2**22  # bytes of partial sums of a weight gradient, before there are fewer chunks
CHUNKS = (16, 8, 4)
MANY = 100  # taps, whose products take much longer than what comes behind them
BAND = 2**14  # bytes of dz that stay in the nearest cache while all taps pass over it
POSITIONS = 64  # windows that are worth a pass of all the taps
SEEN = 2**15  # bytes that the windows of a band see, which stay in the nearest cache
BANDS = 8  # tasks that a batch should have at least, if its images are large


class Source:
    """A gradient on its way in: dy, and what tells where it goes."""

    def __init__(self, dy: Array, gate: Array | None = None, won: Array | None = None) -> None:
        self.x, self.rectified = flat(dy), gate is not None
        self.gate = NOTHING if gate is None else flat(gate)
        self.won = NO_BYTES if won is None else flat(won)


def output(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes a convolution's output, with max pooling if it has."""
    s = sliding(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return Winograd(s, windows, pool, flip=False)
    return Direct(s, windows, pool, flip=False)


def input_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes dx from dy: the convolution of dz with the flipped filters."""
    s = adjoint(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return Winograd(s, windows, 1, flip=True)
    if pool > 1:
        return WinnersGivingBack(windows, channels, filters, groups, pool)
    if windows.stride != (1, 1) or channels // groups < LANES:
        return GivingBack(windows, channels, filters, groups)
    return Direct(s, flipped(windows), 1, flip=True)


def filter_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes the gradients of filters and bias."""
    if pool > 1:  # which leaves no more products than Winograd's, and no transforms
        return WinnersGradient(windows, channels, filters, groups, pool)
    s, d = sliding(windows, channels, filters, groups), through(windows, filters)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return WinogradGradient(s, d)
    return DirectGradient(s, d, windows)


def _winograd_pays(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int
) -> bool:
    """Return whether Winograd's 36 products stand for enough of the usual ones."""
    plain = (windows.window, windows.stride, windows.dilation, groups) == (
        (3, 3),
        (1, 1),
        (1, 1),
        1,
    )
    if not plain or min(channels, filters) < FEW or pool > 2:
        return False
    oh, ow = windows.output
    cells = _up(oh, 4) * _up(ow, 4)
    # Filters grow fourfold: large ones must serve many patches, once read.
    few = batch * cells < 16 * PATCHES and channels * filters > LARGE
    return cells < 2 * oh * ow and not few


def _strips_pay(windows: Windows, s: Sliding) -> bool:
    """Return whether a window is fewer vectors in one piece than in runs."""
    taps, pieces = math.prod(windows.window) * s.c // s.groups, runs(windows, s).size
    return -(-taps // LANES) < pieces * -(-taps // pieces // LANES)


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
        height, vectors = conv.tile_shape(s.ow // self.beside, every, pool * pool, most)
        self.over = (cells[:, :1] + np.arange(height) * self.beside * s.step_w * s.depth).ravel()
        self.run = conv.forward(height, vectors, pool * pool)
        wide = _up(every, vectors * LANES)
        self.filters = room((s.groups, fh, fw, depth, wide))
        self.row = room((s.groups, wide))
        self.bias = self.row[:, :every].reshape(s.groups, self.beside, per_group)
        self.uses = (conv.pack, self.run)
        self.work = s.oh * s.ow * s.f * pool * pool * self.at.size

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        conv.pack(w, self.s.groups, self.flip, self.beside, self.s.step_w, self.filters)

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
    """Return how many windows beside each other share a vector: they read what lies between."""
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
        deep = conv.whole_vectors(s.c)
        self.s = s._replace(rows=4 * down + 2, pitch=4 * across + 2, depth=deep)
        self.patches, self.together = down * across, _together(s.c + s.f)
        tile = conv.tile_shape(self.together, s.f)
        self.height = tile[0]
        self.run = winograd.forward(*tile, pool)
        wide = _up(s.f, tile[1] * LANES)
        self.filters = room((36, deep, wide))
        self.row = room(wide)
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
        together = _up(_evenly(patches, self.together), self.height)
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
        tile = conv.tile_shape(self.d.pitch, self.length)
        self.run = conv.backward_images(*tile)
        wide = _up(self.length, tile[1] * LANES)
        shape = (groups, fh, self.at.size // fh, per_group, wide)
        self.filters = room(shape)
        self.uses = (conv.pack_rows, self.run)
        self.work = self.filters.size * self.d.rows * self.d.pitch

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        conv.pack_rows(w, self.s.groups, self.filters)

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
        self.first, self.starts, self.apart = winners_back.places(windows, s)
        fh, per_group, depth = windows.window[0], filters // groups, channels // groups
        self.length = math.prod(windows.window) * depth // self.starts.size
        tile = winners_back.tile_shape(self.starts.shape[1], self.length)
        self.run = winners_back.backward_images(*tile)
        wide = _up(self.length, tile[1] * LANES)
        shape = (groups, fh, self.starts.size // fh, per_group, wide)
        self.filters = room(shape)
        self.uses = (conv.pack_rows, self.run)
        self.work = self.filters.size * s.oh * s.ow

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        conv.pack_rows(w, self.s.groups, self.filters)

    def __call__(self, source: Source, n: int, y: Array, arg: Array, rectify: bool) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.run, n, n * self.work, source.x, source.won, flat(self.filters), flat(y),
            self.first, self.starts, self.apart, self.s, self.length,
        )  # fmt: skip


class DirectGradient:
    """Filter gradients, summed over the windows."""

    def __init__(self, s: Sliding, d: Sliding, windows: Windows) -> None:
        self.s, self.d = s, d
        at, per_group = runs(windows, s), s.f // s.groups
        (fh, fw), depth = windows.window, s.c // s.groups
        length = fh * fw * depth // at.size
        self.at = (at.reshape(-1, 1) + np.arange(length)).ravel()
        tile = conv.tile_shape(self.at.size, per_group)
        wide = _up(per_group, tile[1] * LANES)
        self.shape = (s.groups, fh, fw, depth, wide)
        self.sums = _partial_sums(s.groups * self.at.size * wide)
        self.bias = room((len(self.sums), s.f))
        self.run = conv.backward_weights(*tile)
        self.uses = (self.run, conv.unpack)
        self.band = max(1, max(BAND // (4 * d.depth), POSITIONS) // d.pitch)
        self.work = s.groups * self.at.size * per_group * d.rows * d.pitch

    def __call__(self, x: Array, source: Source, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, FH, FW) and of the bias (F,)."""
        n, s = len(x), self.s
        launch(
            self.run, len(self.sums), n * self.work, flat(x), source.x, source.gate, source.won,
            self.sums, self.bias, self.at, s, self.d, s.in_place, n, self.band,
            source.rectified,
        )  # fmt: skip
        sums = self.sums.reshape(len(self.sums), *self.shape)
        launch(conv.unpack, self.shape[0] * self.shape[3], self.sums.size, sums, dw)
        self.bias.sum(axis=0, out=db)


class WinnersGradient:
    """Filter gradients behind a pooling, summed over the windows that won."""

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, pool: int
    ) -> None:
        s = self.s = sliding(windows, channels, filters, groups, pool)
        (fh, fw), depth = windows.window, channels // groups
        taps, stripped = fh * fw * depth, _strips_pay(windows, s)
        self.places, self.at, self.starts = winners.places(windows, s, stripped=stripped)
        self.length = taps // self.starts.size
        tile = winners.tile_shape(filters // groups, self.length)
        wide = _up(self.length, tile[1] * LANES)
        places = np.arange(self.starts.size).reshape(-1, 1) * wide + np.arange(self.length)
        self.taps = places.reshape(fh, fw, depth).transpose(2, 0, 1).ravel()
        self.sums = _partial_sums(filters * self.starts.size * wide)
        self.bias = room((len(self.sums), filters))
        self.run = winners.backward_weights(*tile)
        self.uses = (self.run, winners.unpack)
        # Vectors that reach beyond a run read beyond the last image.
        self.in_place = s.in_place and not stripped and self.length == wide
        row = self.places.room // s.oh if stripped else s.step_h * s.pitch * s.depth
        self.band = min(s.oh, max(1, SEEN // (4 * row)))
        self.work = s.oh * s.ow * filters * taps

    def __call__(self, x: Array, source: Source, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, FH, FW) and of the bias (F,)."""
        n = len(x)
        launch(
            self.run, len(self.sums), n * self.work, flat(x), source.x, source.won, self.sums,
            self.bias, self.at, self.starts, self.s, self.places, self.in_place, self.length, n,
            self.band,
        )  # fmt: skip
        launch(
            winners.unpack, len(dw), self.sums.size, self.sums, self.taps, dw.reshape(len(dw), -1)
        )
        self.bias.sum(axis=0, out=db)


class WinogradGradient:
    """Filter gradients, by the transforms of Winograd's way back."""

    def __init__(self, s: Sliding, d: Sliding) -> None:
        down, across = -(-d.rows // 4), -(-d.pitch // 4)
        deep = conv.whole_vectors(s.c)
        tile = conv.tile_shape(deep, s.f)
        wide = _up(s.f, tile[1] * LANES)
        self.s = s._replace(rows=4 * down + 2, pitch=4 * across + 2, depth=deep)
        self.d = d._replace(rows=4 * down, pitch=4 * across, depth=wide)
        self.sums = _partial_sums(36 * deep * wide)
        self.bias = room((len(self.sums), wide))
        self.patches, self.together = down * across, _together(s.c + s.f)
        self.run = winograd.backward_weights(*tile)
        self.uses = (self.run, winograd.filters_back)
        self.work = 36 * down * across * s.c * s.f

    def __call__(self, x: Array, source: Source, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C, 3, 3) and of the bias (F,)."""
        n, chunks = len(x), len(self.sums)
        patches = n * self.patches
        together = min(self.together, -(-patches // chunks))
        launch(
            self.run, chunks, n * self.work, flat(x), source.x, source.gate, source.won,
            self.sums, self.bias, self.s, self.d, patches, together,
            source.rectified,
        )  # fmt: skip
        sums = self.sums.reshape(chunks, self.s.depth, 36, self.d.depth)
        launch(winograd.filters_back, dw.shape[1], self.sums.size, sums, dw)
        db[:] = self.bias.sum(axis=0)[: len(db)]


def _partial_sums(size: int) -> Array:
    chunks = next((count for count in CHUNKS if 4 * count * size <= SUMS), CHUNKS[-1])
    return room((chunks, size))


def _together(numbers: int) -> int:
    """Return how many patches of so many ``numbers`` a place go through the products together."""
    return max(1, min(PATCHES, NEAR // (4 * 36 * numbers)))


def _evenly(n: int, together: int) -> int:
    """Return at most ``together`` of ``n``, so that 4, 8, 12, ... tasks share them out evenly."""
    tasks = _up(-(-n // together), 4)
    return -(-n // tasks)


def _up(n: int, k: int) -> int:
    return -(-n // k) * k
