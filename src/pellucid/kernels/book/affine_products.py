"""The three products of the book's `Affine`, whose weights are float64 and are not copied.

    y[m,f]      = b[f] + Σ_i x[m,i] · w[at(i),f]
    dw[at(i),f] = Σ_m x[m,i] · dy[m,f]
    dx[m,i]     = Σ_f dy[m,f] · w[at(i),f]

``at(i)`` is the row of ``w`` that belongs to column i of ``x``: the book stores an image channel by
channel (C, H, W), these kernels pixel by pixel (H, W, C). Reading a row of ``w`` from another
address costs less than transposing all images. Plain rows are images of one channel. Twins of
``a @ b``, to 1e-5 relative in float32. (`pellucid.kernels.matmul` has the products of
`pellucid.nn.Linear`, whose weights are the transpose of these.)

All arrays are flat, C-contiguous, allocated by the caller; float32 but for ``w``, which may be
float64 and is rounded when it is packed for the tiles. A task writes its own part of the result,
each sum in one order; so the bits do not depend on the threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..convolution.layout import LINE, aligned, transpose_matrix
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import load, load_part, outer, store, store_first, store_part, zeros

__all__ = ["HEIGHTS", "add_blocks", "matmul_nn", "matmul_nt", "matmul_tn"]

# Rows of a tile, which is one vector wide: its sums fill the registers except those of the factors.
# The small ones are for few images.
HEIGHTS = (25, 4, 1) if REGISTERS >= 32 else (12, 4, 1)
TOGETHER = 256  # terms of a partial sum: rounding errors of longer ones would be larger
GROUP = 8 * LANES  # columns of w at a time: with TOGETHER rows they stay in the L2 cache


@kernel
def _round(x: Array, y: Array) -> None:
    """``y = x``, rounded to float32; y may be longer."""
    for i in range(len(x)):
        y[i] = np.float32(x[i])


@kernel
def _pack_rows(
    w: Array, columns: int, left: int, right: int, begin: int, count: int, channels: int,
    near: Array, pitch: int,
) -> None:  # fmt: skip
    """Pack the rows of ``w`` for ``count`` columns of ``x`` from ``begin`` on, rounded.

    Only their columns ``left`` to ``right`` are written to ``near``, a row every ``pitch`` numbers.
    ``w`` is read in memory order; in the order of the columns of ``x`` it would be slower.
    """
    pixels = len(w) // (columns * channels)
    for c in range(channels):
        first = (begin - c + channels - 1) // channels
        last = (begin + count - c + channels - 1) // channels
        for pixel in range(first, last):
            r, i = (c * pixels + pixel) * columns, pixel * channels + c - begin
            _round(w[r + left : r + right], near[i * pitch : (i + 1) * pitch])


@cache
def matmul_nn(height: int) -> Any:
    """Return the kernel of ``x·w``, for tiles of ``height`` images."""

    @kernel
    def multiply(
        queue: Array, x: Array, w: Array, sums: Array, rows: int, columns: int, channels: int,
        blocks: int, cuts: int,
    ) -> None:  # fmt: skip
        """Write the partial sums over each of ``blocks`` of the terms, for `add_blocks`.

        ``sums`` has the shape (blocks, tiles · height, columns padded to vectors). A task is one of
        ``cuts`` ranges of tiles, in one block.
        """
        terms, tiles = len(w) // columns, -(-rows // height)
        wide = -(-columns // LANES) * LANES
        # Rows an odd number of vectors apart, so that they do not compete for the same cache sets.
        pitch = (min(wide, GROUP) // LANES | 1) * LANES
        near = aligned(np.zeros(TOGETHER * pitch + LINE, dtype=np.float32))
        packed = aligned(np.zeros(height * (TOGETHER + LINE) + LINE, dtype=np.float32))
        for task in share(queue):
            block, cut = task % blocks, task // blocks
            first, last = block * terms // blocks, (block + 1) * terms // blocks
            pieces = -(-(last - first) // TOGETHER)
            for piece in range(pieces):
                begin = first + piece * (last - first) // pieces
                count = first + (piece + 1) * (last - first) // pieces - begin
                for left in range(0, columns, GROUP):
                    right = min(columns, left + GROUP)
                    _pack_rows(w, columns, left, right, begin, count, channels, near, pitch)
                    for tile in range(cut * tiles // cuts, (cut + 1) * tiles // cuts):
                        m = tile * height
                        for r in range(min(height, rows - m)):
                            source = (m + r) * terms + begin
                            for i in range(0, count, LANES):
                                u = load_part(x, source + i, min(LANES, count - i))
                                store(u, packed, r * (TOGETHER + LINE) + i, 0)
                        for k in range(left, right, LANES):
                            to = ((block * tiles + tile) * height) * wide + k
                            t = zeros(height, 1)
                            for i in range(count):
                                t = outer(t, packed, i, TOGETHER + LINE, near, i * pitch + k - left)
                            if begin > first:
                                t = t + load(height, 1, sums, to, wide, 0)
                            store(t, sums, to, wide)

    return multiply


@kernel
def add_blocks(
    queue: Array, sums: Array, b: Array, y: Array, rows: int, high: int, blocks: int, tasks: int
) -> None:
    """Write ``y = b + Σ sums`` over the blocks, of ``high`` rows each. A task is some rows."""
    columns = len(b)
    wide = -(-columns // LANES) * LANES
    for task in share(queue):
        for m in range(task * rows // tasks, (task + 1) * rows // tasks):
            for k in range(0, columns, LANES):
                count = min(LANES, columns - k)
                t = load(1, 1, sums, m * wide + k, 0, 0)
                for block in range(1, blocks):
                    t = t + load(1, 1, sums, (block * high + m) * wide + k, 0, 0)
                store_part(t + load_part(b, k, count), y, m * columns + k, count)


@cache
def matmul_tn(height: int) -> Any:
    """Return the kernel of ``xᵀ·dy``, for tiles of ``height`` rows of ``dw``."""
    pitch = -(-height // LANES) * LANES

    @kernel
    def multiply(
        queue: Array, x: Array, dy: Array, dw: Array, columns: int, channels: int, tasks: int
    ) -> None:
        """Write ``dw``. A task is a range of its tiles."""
        terms, wide = len(dw) // columns, -(-columns // LANES) * LANES
        pixels = terms // channels
        rows, tiles = len(dy) // columns, -(-terms // height)
        near = aligned(np.zeros(rows * wide + LINE, dtype=np.float32))
        for i in range(rows):
            for k in range(0, columns, LANES):
                store(
                    load_part(dy, i * columns + k, min(LANES, columns - k)), near, i * wide + k, 0
                )
        packed = aligned(np.empty(TOGETHER * pitch + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * wide + LINE, dtype=np.float32))
        for task in share(queue):
            for tile in range(task * tiles // tasks, (task + 1) * tiles // tasks):
                m = tile * height
                sums[:] = 0
                for begin in range(0, rows, TOGETHER):
                    count = min(TOGETHER, rows - begin)
                    for i in range(count):
                        for v in range(0, pitch, LANES):
                            valid = max(0, min(LANES, terms - m - v))
                            u = load_part(x, (begin + i) * terms + m + v, valid)
                            store(u, packed, i * pitch + v, 0)
                    for k in range(0, columns, LANES):
                        t = zeros(height, 1)
                        for i in range(count):
                            t = outer(t, packed, i * pitch, 1, near, (begin + i) * wide + k)
                        store(t + load(height, 1, sums, k, wide, 0), sums, k, wide)
                for r in range(min(height, terms - m)):
                    pixel, c = (m + r) // channels, (m + r) % channels
                    to = (c * pixels + pixel) * columns
                    for k in range(0, columns, LANES):
                        u = load(1, 1, sums, r * wide + k, 0, 0)
                        store_part(u, dw, to + k, min(LANES, columns - k))

    return multiply


@cache
def matmul_nt(height: int) -> Any:
    """Return the kernel of ``dy·wᵀ``, for tiles of ``height`` images."""

    @kernel
    def multiply(
        queue: Array, dy: Array, w: Array, dx: Array, columns: int, channels: int, tasks: int
    ) -> None:
        """Write ``dx``, which has at least ``height`` rows. A task is a range of its columns."""
        terms, wide = len(w) // columns, -(-columns // LANES) * LANES
        rows, panels = len(dy) // columns, -(-terms // LANES)
        # Rows of w at a time: as many as stay in the L2 cache.
        together = max(1, TOGETHER * GROUP // (LANES * wide)) * LANES
        packed = aligned(np.zeros(together * wide + LINE, dtype=np.float32))
        near = aligned(np.empty(LANES * wide + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * LANES + LINE, dtype=np.float32))
        for task in share(queue):
            first = task * panels // tasks * LANES
            last = min(terms, (task + 1) * panels // tasks * LANES)
            for begin in range(first, last, together):
                end = min(last, begin + together)
                _pack_rows(w, columns, 0, columns, begin, end - begin, channels, packed, wide)
                for i in range(begin, end, LANES):
                    count = min(LANES, end - i)
                    transpose_matrix(packed, (i - begin) * wide, LANES, wide, near, 0, LANES)
                    for tile in range(0, rows, height):
                        m = min(tile, rows - height)  # the last one overlaps the one before
                        sums[:] = 0
                        for k in range(0, columns, TOGETHER):
                            t = zeros(height, 1)
                            for f in range(k, min(columns, k + TOGETHER)):
                                t = outer(t, dy, m * columns + f, columns, near, f * LANES)
                            store(t + load(height, 1, sums, 0, LANES, 0), sums, 0, LANES)
                        t = load(height, 1, sums, 0, LANES, 0)
                        store_first(t, dx, m * terms + i, terms, count)

    return multiply
