"""The input gradient behind max pooling: only the windows that won give anything back.

The twin of `pooled_weight_gradient`. What window q of position p gives back is a sum over the
filters that it won,

    dx[p,q] += Σ_{f: won[p,f] = q} dy[p,f] · w[f,:]

so the filters of each position are sorted by their winners first. The sum stays in a tile of
``height`` runs x ``vectors`` of their numbers, which is then added to where the window looked, as
in the textbook's col2im.

All arrays are flat, float32 (``won``: uint8), channels-last, allocated by the engine; the filters
come as `conv.pack_rows` writes them. A task is an image.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import add_rows_from, add_scaled, zeros
from .geometry import STOPPED, Sliding, runs, take_out

__all__ = ["backward_images", "places", "tile_shape"]

MOST = REGISTERS * 3 // 4  # vectors of a tile
BYTES = 256  # places in a table of what ``won`` may say


def places(windows: Windows, s: Sliding) -> tuple[Array, Array, int]:
    """Return where the windows of a position begin, where the runs, and how far these are apart.

    Runs (rows of tiles, runs) are equally far apart within a row. ``s`` says how the windows slide
    with the pooling behind them.
    """
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    pool, at = s.step_h // sh, runs(windows, s)
    q = np.arange(pool * pool)
    first = (q // pool * sh * s.pitch + q % pool * sw) * s.depth
    if at.size == fh:
        return first, at, dh * s.pitch * s.depth
    return first, at.reshape(fh, fw), dw * s.depth


def tile_shape(runs: int, length: int) -> tuple[int, int]:
    """Return the tile, runs x vectors of each, as large as there are registers for."""
    wide = -(-length // LANES)
    tiles = -(-wide // (MOST // 2))
    vectors = -(-wide // tiles)
    heights = [h for h in range(1, runs + 1) if runs % h == 0 and h * vectors <= MOST]
    return max(heights), vectors


@kernel
def _sort(
    dy: Array, won: Array, n: int, s: Sliding, wide: int, amounts: Array, rows: Array, ends: Array
) -> None:
    """Write dy of image ``n``, and the filters' rows, by group, position and winner.

    Each winner of a position has room for all filters, and ``ends`` tells how far it is filled.
    What a ReLU stopped goes to a place of its own, behind them all.
    """
    per_group, positions = s.f // s.groups, s.oh * s.ow
    cells = len(ends) // (s.groups * positions)
    places, part = np.zeros(BYTES, dtype=np.int64), 0
    for g in range(s.groups):
        for p in range(positions):
            first = (n * positions + p) * s.f + g * per_group
            mine, winners = dy[first : first + per_group], won[first : first + per_group]
            for q in range(cells):
                places[q] = (part + q) * per_group
            places[STOPPED] = len(ends) * per_group
            for f in range(per_group):
                place = places[winners[f]]
                places[winners[f]] = place + 1
                amounts[place], rows[place] = mine[f], f * wide
            for q in range(cells):
                ends[part + q] = places[q]
            part += cells


@cache
def backward_images(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` runs x ``vectors`` of their numbers."""

    @kernel
    def give_back(
        queue: Array, dy: Array, won: Array, w: Array, dx: Array, first: Array, starts: Array,
        apart: int, s: Sliding, length: int,
    ) -> None:  # fmt: skip
        """Write ``dx``: what each window that won gives back, added to where it looked."""
        per_group, channels, every = s.f // s.groups, s.c // s.groups, vectors * LANES
        wide = w.size // (starts.size * s.f)
        positions, size = s.oh * s.ow, per_group * wide
        room = np.empty(s.rows * s.pitch * s.depth, dtype=np.float32)
        ends = np.empty(s.groups * positions * len(first), dtype=np.int64)
        amounts = np.empty((len(ends) + 1) * per_group, dtype=np.float32)
        rows = np.empty(len(amounts), dtype=np.int64)
        for n in share(queue):
            room[:] = 0
            _sort(dy, won, n, s, wide, amounts, rows, ends)
            for u in range(starts.shape[0]):
                for v in range(0, starts.shape[1], height):
                    for k in range(0, length, every):
                        count, part = min(every, length - k), 0
                        for g in range(s.groups):
                            run = (g * starts.shape[0] + u) * starts.shape[1] + v
                            tap, seen = run * size + k, starts[u, v] + g * channels + k
                            for i in range(s.oh):
                                for j in range(s.ow):
                                    here = (i * s.step_h * s.pitch + j * s.step_w) * s.depth + seen
                                    for q in range(len(first)):
                                        begin, end = part * per_group, ends[part]
                                        part += 1
                                        if begin == end:
                                            continue
                                        t = zeros(height, vectors)
                                        for m in range(begin, end):
                                            t = add_scaled(t, amounts, m, w, tap + rows[m], size)
                                        add_rows_from(t, room, here + first[q], apart, 0, count)
            take_out(room, n, dx, s)

    return give_back
