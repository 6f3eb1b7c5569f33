"""The input gradient after max pooling: only the windows at the argmax contribute.

The twin of `pellucid.kernels.convolution.pooled_weight_gradient`. What window q of position p adds
to the image is a sum over the filters whose argmax it is,

    dx[p,q] += Σ_{f: argmax[p,f] = q} dy[p,f] · w[f,:]

so the filters of each position are sorted by their argmax first. The sum stays in a tile of
``height`` runs x ``vectors`` of their numbers, which is then added to where the window looked, as
in the textbook's col2im.

All arrays are flat, float32 (``argmax``: uint8), channels-last, allocated by the engine; the
filters come as `pellucid.kernels.convolution.filters.pack_rows` writes them. A task is an image.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, REGISTERS, inlined, kernel
from ..pool.threads import share
from ..simd import add_rows_from, add_scaled, zeros
from .geometry import Sliding, runs
from .layout import BYTES, STOPPED, GatedGradient, crop

__all__ = ["WindowOffsets", "backward_images", "tile_shape", "window_offsets"]

VECTORS = REGISTERS * 3 // 4  # of a tile, at most


class WindowOffsets(NamedTuple):
    """Where the windows of a position look."""

    window: Array  # offset of the window that each argmax means
    run: Array  # offset of each run of a window (rows of tiles, runs)
    run_stride: int  # from run to run, the same throughout a row
    run_length: int  # numbers of a run


class Sorted(NamedTuple):
    """The gradient of one image, sorted by group, position and argmax."""

    dy: Array  # room for all filters of a group for each argmax, and for what a ReLU stopped
    filters: Array  # where the packed filter of each begins
    ends: Array  # of what there is for each argmax


def window_offsets(windows: Windows, s: Sliding) -> WindowOffsets:
    """Return where the windows look; ``s`` says how they slide with the pooling after them."""
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    pool, run = s.step_h // sh, runs(windows, s)
    q = np.arange(pool * pool)
    window = (q // pool * sh * s.pitch + q % pool * sw) * s.depth
    length = fh * fw * (s.c // s.groups) // run.size
    if run.size == fh:
        return WindowOffsets(window, run, dh * s.pitch * s.depth, length)
    return WindowOffsets(window, run.reshape(fh, fw), dw * s.depth, length)


def tile_shape(runs: int, length: int) -> tuple[int, int]:
    """Return the tile, runs x vectors of each, as large as there are registers for."""
    wide = -(-length // LANES)
    tiles = -(-wide // (VECTORS // 2))
    vectors = -(-wide // tiles)
    heights = [h for h in range(1, runs + 1) if runs % h == 0 and h * vectors <= VECTORS]
    return max(heights), vectors


@kernel
def _sort(source: GatedGradient, n: int, s: Sliding, width: int, to: Sorted) -> None:
    """Write dy of image ``n``, and its filters, by group, position and argmax.

    Each argmax of a position has room for all filters, and ``to.ends`` tells how far it is filled.
    Gradients masked by the ReLU go to an extra cell after the others.
    """
    numbers, of_all, (dys, rows, ends) = source.numbers, source.argmax, to
    per_group, positions = s.f // s.groups, s.oh * s.ow
    cells = len(ends) // (s.groups * positions)
    places, part = np.zeros(BYTES, dtype=np.int64), 0
    for g in range(s.groups):
        for p in range(positions):
            first = (n * positions + p) * s.f + g * per_group
            dy = numbers[first : first + per_group]
            argmax = of_all[first : first + per_group]
            for q in range(cells):
                places[q] = (part + q) * per_group
            places[STOPPED] = len(ends) * per_group
            for f in range(per_group):
                place = places[argmax[f]]
                places[argmax[f]] = place + 1
                dys[place], rows[place] = dy[f], f * width
            for q in range(cells):
                ends[part + q] = places[q]
            part += cells


@cache
def backward_images(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` runs x ``vectors`` of their numbers."""
    tile_width = vectors * LANES

    @inlined
    def tile_over_filters(
        dy: Array, filters: Array, first: int, last: int, w: Array, j: int, p: int
    ) -> Any:
        """Return ``Σ_m dy[m] · w[j + filters[m] + r·p : ]`` of those that have one argmax."""
        t = zeros(height, vectors)
        for m in range(first, last):
            t = add_scaled(t, dy, m, w, j + filters[m], p)
        return t

    @inlined
    def add_runs(
        ordered: Sorted, w: Array, padded: Array, offsets: WindowOffsets, s: Sliding,
        u: int, v: int, k: int,
    ) -> None:  # fmt: skip
        """Add to the padded image what all windows give back to ``height`` runs from (u, v) on.

        Only from number ``k`` of each run on, a tile's width.
        """
        (dy, filters, ends), (window, run_offset, run_stride, run_length) = ordered, offsets
        per_group, channels, runs = s.f // s.groups, s.c // s.groups, run_offset.shape
        size = w.size // (run_offset.size * s.groups)
        count, part = min(tile_width, run_length - k), 0
        for g in range(s.groups):
            tap = ((g * runs[0] + u) * runs[1] + v) * size + k
            of_run = run_offset[u, v] + g * channels + k
            for i in range(s.oh):
                for j in range(s.ow):
                    to = (i * s.step_h * s.pitch + j * s.step_w) * s.depth + of_run
                    for q in range(len(window)):
                        first, last = part * per_group, ends[part]
                        part += 1
                        if first < last:
                            t = tile_over_filters(dy, filters, first, last, w, tap, size)
                            add_rows_from(t, padded, to + window[q], run_stride, 0, count)

    @kernel
    def col2im(
        queue: Array, dy: GatedGradient, filters: Array, dx: Array, offsets: WindowOffsets,
        s: Sliding,
    ) -> None:  # fmt: skip
        """Write ``dx``: the shares of the windows at the argmax, added to where they looked."""
        per_group, width = s.f // s.groups, filters.size // (offsets.run.size * s.f)
        padded = np.empty(s.rows * s.pitch * s.depth, dtype=np.float32)
        ends = np.empty(s.groups * s.oh * s.ow * len(offsets.window), dtype=np.int64)
        amounts = np.empty((len(ends) + 1) * per_group, dtype=np.float32)
        ordered = Sorted(amounts, np.empty(len(amounts), dtype=np.int64), ends)
        runs = offsets.run.shape
        for n in share(queue):
            padded[:] = 0
            _sort(dy, n, s, width, ordered)
            for u in range(runs[0]):
                for v in range(0, runs[1], height):
                    for k in range(0, offsets.run_length, tile_width):
                        add_runs(ordered, filters, padded, offsets, s, u, v, k)
            crop(padded, n, dx, s)

    return col2im
