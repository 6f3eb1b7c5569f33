"""The passes that compute the gradients of a convolution's filters and bias.

Each class here is one algorithm, with its tables made; they take channels-last arrays. A batch is
cut into chunks, whose sums are kept apart and added up in order: the bits do not depend on threads.
"""

from __future__ import annotations

import numpy as np

from ....kernels.convolution import direct, pooled_weight_gradient, winograd
from ....kernels.convolution.geometry import Sliding, runs, sliding
from ....kernels.jit import LANES
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .algorithms import Source, patches_together, strips_pay, up

__all__ = ["DirectGradient", "WinnersGradient", "WinogradGradient"]

SUMS = 2**22  # bytes of partial sums of a weight gradient, before there are fewer chunks
CHUNKS = (16, 8, 4)
BLOCK = 128  # patches at most that go through Winograd's products together
WORTH = 512  # sums a place for each of them, where they are more than the caches hold
BAND = 2**14  # bytes of dz that stay in the nearest cache while all taps pass over it
POSITIONS = 64  # windows that are worth a pass of all the taps
SEEN = 2**15  # bytes that the windows of a band see, which stay in the nearest cache


class DirectGradient:
    """Filter gradients, summed over the windows."""

    def __init__(self, s: Sliding, d: Sliding, windows: Windows) -> None:
        self.s, self.d = s, d
        at, per_group = runs(windows, s), s.f // s.groups
        (fh, fw), depth = windows.window, s.c // s.groups
        length = fh * fw * depth // at.size
        self.at = (at.reshape(-1, 1) + np.arange(length)).ravel()
        tile = direct.tile_shape(self.at.size, per_group)
        wide = up(per_group, tile[1] * LANES)
        self.shape = (s.groups, fh, fw, depth, wide)
        self.sums = _partial_sums(s.groups * self.at.size * wide)
        self.bias = aligned_zeros((len(self.sums), s.f))
        self.run = direct.backward_weights(*tile)
        self.uses = (self.run, direct.unpack)
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
        launch(direct.unpack, self.shape[0] * self.shape[3], self.sums.size, sums, dw)
        self.bias.sum(axis=0, out=db)


class WinnersGradient:
    """Filter gradients behind a pooling, summed over the windows that won."""

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, pool: int
    ) -> None:
        s = self.s = sliding(windows, channels, filters, groups, pool)
        (fh, fw), depth = windows.window, channels // groups
        taps, stripped = fh * fw * depth, strips_pay(windows, s)
        self.places, self.at, self.starts = pooled_weight_gradient.places(
            windows, s, stripped=stripped
        )
        self.length = taps // self.starts.size
        tile = pooled_weight_gradient.tile_shape(filters // groups, self.length)
        wide = up(self.length, tile[1] * LANES)
        places = np.arange(self.starts.size).reshape(-1, 1) * wide + np.arange(self.length)
        self.taps = places.reshape(fh, fw, depth).transpose(2, 0, 1).ravel()
        self.sums = _partial_sums(filters * self.starts.size * wide)
        self.bias = aligned_zeros((len(self.sums), filters))
        self.run = pooled_weight_gradient.backward_weights(*tile)
        self.uses = (self.run, pooled_weight_gradient.unpack)
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
            pooled_weight_gradient.unpack,
            len(dw),
            self.sums.size,
            self.sums,
            self.taps,
            dw.reshape(len(dw), -1),
        )
        self.bias.sum(axis=0, out=db)


class WinogradGradient:
    """Filter gradients, by the transforms of Winograd's way back."""

    def __init__(self, s: Sliding, d: Sliding) -> None:
        down, across = -(-d.rows // 4), -(-d.pitch // 4)
        deep = direct.whole_vectors(s.c)
        tile = direct.tile_shape(deep, s.f)
        wide = up(s.f, tile[1] * LANES)
        self.s = s._replace(rows=4 * down + 2, pitch=4 * across + 2, depth=deep)
        self.d = d._replace(rows=4 * down, pitch=4 * across, depth=wide)
        self.sums = _partial_sums(36 * deep * wide)
        self.bias = aligned_zeros((len(self.sums), wide))
        self.patches = down * across
        # Large sums are read and written for every block: they must be worth it.
        self.together = max(patches_together(s.c + s.f), min(BLOCK, s.c * s.f // WORTH))
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
    return aligned_zeros((chunks, size))
