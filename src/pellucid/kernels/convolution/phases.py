"""Which windows a tile has, which taps they read, and where their sums go: tables of offsets.

The outputs of an image are listed pixel by pixel, and cut into tiles of ``height``: a tile may go
on in the next row, so that no row of any width leaves one half empty. Only the last tile repeats
its last pixel. For every row of a tile there is the offset of its window (one for every cell of a
pooling), and that of the output's pixel.

Forward, all outputs read the image alike. The input gradient of a convolution of stride S has S·S
*phases*: pixel X = S·k + r of the padded image was seen by the windows i = k - a through those
cells u of the filter alone for which D·u = S·a + r,

    dx[S·k + r] = Σ_a w[u] · dz[k - a]

so that each phase is a convolution of stride 1, with its own cells of the filter (Dumoulin & Visin
2016, section 4.6, without the zeros in between). Every pixel of dx is written once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from .arguments import Tiling
from .geometry import Sliding

__all__ = [
    "Phase",
    "adjoint_phases",
    "cut_into_tiles",
    "forward_phase",
    "packed_rows",
    "taps_side_by_side",
]


class Phase(NamedTuple):
    """Outputs of the same cells of the filter: one offset for each row, column, and cell."""

    first_row: Array  # of the padded image that the windows of each row of outputs begin with
    column: Array  # offset of each column's windows in their row
    place_row: Array  # offset of each row of outputs in y
    place_column: Array
    cells: Array  # which cells of the filter count, u·FW + v
    cell_offset: Array  # of each of them in the window


def forward_phase(windows: Windows, s: Sliding, per_vector: int = 1) -> list[Phase]:
    """Return the one phase of a convolution's outputs.

    Of ``per_vector`` windows side by side, whose filters share a vector, a tile has the first.
    """
    (fh, fw), (dh, dw) = windows.window, windows.dilation
    wide = fw + (per_vector - 1) * s.step_w
    # The last windows of a row overlap those before.
    j = np.minimum(np.arange(0, s.ow, per_vector), s.ow - per_vector)
    i, u, v = np.arange(s.oh), np.arange(fh)[:, np.newaxis], np.arange(wide)
    return [
        Phase(
            i * s.step_h, j * s.step_w * s.depth, i * s.ow * s.f, j * s.f,
            np.arange(fh * wide), ((u * dh * s.pitch + v * dw) * s.depth).ravel(),
        )
    ]  # fmt: skip


def adjoint_phases(
    windows: Windows, channels: int, filters: int, groups: int
) -> tuple[Sliding, list[Phase]]:
    """Return how dz is padded, and the phases of dx."""
    (oh, ow), (h, w), (_, fw) = windows.output, windows.input, windows.window
    (top, _), (left, _) = windows.padding
    down = _phases_along(h, top, windows.window[0], windows.stride[0], windows.dilation[0])
    across = _phases_along(w, left, fw, windows.stride[1], windows.dilation[1])
    (row, rows), (column, pitch) = (_frame(along) for along in (down, across))
    s = Sliding(
        oh, ow, filters, 1, 1, 1, row, column, rows, pitch, filters, 1, 1, h, w, channels, groups
    )
    phases = [
        Phase(
            p.k - p.a.max(initial=0) + row, (q.k - q.a.max(initial=0) + column) * s.depth,
            p.x * w * channels, q.x * channels, (p.u[:, np.newaxis] * fw + q.u).ravel(),
            (((p.a.max(initial=0) - p.a)[:, np.newaxis] * pitch
              + q.a.max(initial=0) - q.a) * s.depth).ravel(),
        )
        for p in down
        for q in across
    ]  # fmt: skip
    return s, phases


class _Along(NamedTuple):
    """A phase along one axis: pixels x = S·k + r - P, and cells u of the filter, D·u = S·a + r."""

    x: Array
    k: Array
    u: Array
    a: Array


def _phases_along(size: int, before: int, window: int, stride: int, dilation: int) -> list[_Along]:
    padded, reach = np.arange(size) + before, np.arange(window) * dilation
    found = []
    for r in range(stride):
        x, u = np.flatnonzero(padded % stride == r), np.flatnonzero(reach % stride == r)
        found.append(_Along(x, padded[x] // stride, u, reach[u] // stride))
    return found  # with those that have no pixel: their cells are packed, too


def _frame(phases: Sequence[_Along]) -> tuple[int, int]:
    """Return in which row of the padded dz its first row lies, and how many rows that has."""
    seen = [p for p in phases if len(p.x)]
    first = min(int(p.k[0] - p.a.max(initial=0)) for p in seen)
    last = max(int(p.k[-1] - p.a.min(initial=0)) for p in seen)
    return -first, last - first + 1


def packed_rows(
    windows: Windows, s: Sliding, phases: Sequence[Phase], per_vector: int = 1, *, back: bool
) -> Array:
    """Return at which row each number of a filter lies where `filters.pack` has packed them.

    They are (``per_vector``, ...), with ``back`` for each cell of filter 0 only.
    """
    fw, depth = windows.window[1], s.c // s.groups
    cells, copy = np.arange(math.prod(windows.window)), np.arange(per_vector)
    if back:
        return np.argsort(np.concatenate([p.cells for p in phases]))[np.newaxis] * depth
    wide = fw + (per_vector - 1) * s.step_w
    c, k = np.arange(depth)[:, np.newaxis], cells // fw * wide + cells % fw
    shifted = k + copy[:, np.newaxis, np.newaxis] * s.step_w
    return (shifted * depth + c).reshape(per_vector, -1)


def _taps(phases: Sequence[Phase], depth: int) -> list[Array]:
    """Return the offset of each number that the windows of each phase read."""
    return [(p.cell_offset[:, np.newaxis] + np.arange(depth)).ravel() for p in phases]


def taps_side_by_side(phases: Sequence[Phase], s: Sliding) -> int:
    """Return of how many numbers, 3, 2 or 1, that lie side by side all taps are groups."""

    def are(n: int) -> bool:
        taps = _taps(phases, s.c // s.groups)
        return all(t.size % n == 0 and (np.diff(t.reshape(-1, n)) == 1).all() for t in taps)

    return next(n for n in (3, 2, 1) if are(n))


def cut_into_tiles(
    phases: Sequence[Phase], s: Sliding, pool_offset: Array, height: int, bands: int
) -> Tiling:
    """Return the tables of the tiles; ``pool_offset`` is that of each cell of a pooling window."""
    depth, line = s.c // s.groups, s.pitch * s.depth
    taps = _taps(phases, depth)
    starts = np.unique(np.concatenate([p.first_row for p in phases]))
    edges = [starts[band * len(starts) // bands] for band in range(bands)] + [starts[-1] + 1]
    windows, places, counts, seen = [], [], [], []
    for low, high in pairwise(edges):
        last = low
        for p in phases:
            rows = (low <= p.first_row) & (p.first_row < high)
            offset = (p.first_row[rows, np.newaxis] * line + p.column).ravel()
            place = (p.place_row[rows, np.newaxis] + p.place_column).ravel()
            tiles = -(-offset.size // height)
            pixel = np.minimum(np.arange(tiles * height), offset.size - 1).reshape(tiles, height)
            windows.append((offset[pixel][:, np.newaxis] + pool_offset[:, np.newaxis]).ravel())
            places.append(place[pixel].ravel())
            counts.append(tiles)
            reach = int(p.cell_offset.max(initial=0) + pool_offset.max()) // line
            last = max(last, int(p.first_row[rows].max(initial=low)) + reach)
        seen.append((low, last + 1))
    return Tiling(
        np.concatenate(taps).astype(np.int32),
        np.cumsum([0, *map(len, taps)]),
        np.concatenate(windows).astype(np.int32),
        np.concatenate(places).astype(np.int32),
        np.cumsum([0, *counts]),
        np.array(seen),
    )
