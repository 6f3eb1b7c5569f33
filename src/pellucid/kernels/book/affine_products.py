"""The three products of the book's `Affine`, whose weights are float64 and stay where they are.

    y[m,f]      = b[f] + Σ_i x[m,i] · w[at(i),f]
    dw[at(i),f] = Σ_m x[m,i] · dy[m,f]
    dx[m,i]     = Σ_f dy[m,f] · w[at(i),f]

``at(i)`` is the row of ``w`` that belongs to a number of ``x``: the book counts an image's numbers
channel by channel, ours lie pixel by pixel. It costs little to look for a row elsewhere, and more
to turn all images. Rows of numbers lie as the book counts them; they are images of one channel.
Twins of ``a @ b``, to 1e-5 relative in float32. (`pellucid.kernels.matmul` has the products of
`pellucid.nn.Linear`, whose weights lie the other way round.)

All arrays are flat, C-contiguous, allocated by the caller; float32 but for ``w``, which may be
float64 and is rounded on its way into a tile's neighbourhood. A task writes its own part of the
result, each sum in one order; so the bits do not depend on the threads.
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

__all__ = ["HEIGHTS", "add_up", "product", "product_turned", "turned_product"]

# Rows of a tile, which is one vector wide: its sums fill the registers, but for what is multiplied.
# The small ones are for few images.
HEIGHTS = (25, 4, 1) if REGISTERS >= 32 else (12, 4, 1)
TOGETHER = 256  # terms of one sum; sums of those are added up, or rounding would grow with them
GROUP = 8 * LANES  # columns of w at a time, which with so many rows stay in a core's own cache


@kernel
def _narrow(x: Array, y: Array) -> None:
    """``y = x``, rounded; y may be longer."""
    for i in range(len(x)):
        y[i] = np.float32(x[i])


@kernel
def _fetch(
    w: Array, columns: int, left: int, right: int, begin: int, count: int, channels: int,
    near: Array, pitch: int,
) -> None:  # fmt: skip
    """Write the rows of ``w`` for numbers ``begin`` and following of ``x``, rounded.

    Only columns ``left`` to ``right``; one below the other into ``near``, a row every ``pitch``.
    They are read in the order in which they lie: from row to row would be far, and slow.
    """
    pixels = len(w) // (columns * channels)
    for c in range(channels):
        first = (begin - c + channels - 1) // channels
        last = (begin + count - c + channels - 1) // channels
        for pixel in range(first, last):
            r, i = (c * pixels + pixel) * columns, pixel * channels + c - begin
            _narrow(w[r + left : r + right], near[i * pitch : (i + 1) * pitch])


@cache
def product(height: int) -> Any:
    """Return the kernel of the first product, for tiles of ``height`` images."""

    @kernel
    def multiply(
        queue: Array, x: Array, w: Array, sums: Array, rows: int, columns: int, channels: int,
        blocks: int, cuts: int,
    ) -> None:  # fmt: skip
        """Write the sums over each of ``blocks`` parts of the terms, for `add_up`.

        ``sums`` are (blocks, tiles · height, whole vectors). A task is one of the ``cuts`` of the
        tiles, in one block.
        """
        terms, tiles = len(w) // columns, -(-rows // height)
        wide = -(-columns // LANES) * LANES
        # Lines of w an odd number of cache lines apart, which all find room in the nearest cache.
        pitch = (min(wide, GROUP) // LANES | 1) * LANES
        near = aligned(np.zeros(TOGETHER * pitch + LINE, dtype=np.float32))
        some = aligned(np.zeros(height * (TOGETHER + LINE) + LINE, dtype=np.float32))
        for task in share(queue):
            block, cut = task % blocks, task // blocks
            first, last = block * terms // blocks, (block + 1) * terms // blocks
            pieces = -(-(last - first) // TOGETHER)
            for piece in range(pieces):
                begin = first + piece * (last - first) // pieces
                count = first + (piece + 1) * (last - first) // pieces - begin
                for left in range(0, columns, GROUP):
                    right = min(columns, left + GROUP)
                    _fetch(w, columns, left, right, begin, count, channels, near, pitch)
                    for tile in range(cut * tiles // cuts, (cut + 1) * tiles // cuts):
                        m = tile * height
                        for r in range(min(height, rows - m)):
                            here = (m + r) * terms + begin
                            for i in range(0, count, LANES):
                                u = load_part(x, here + i, min(LANES, count - i))
                                store(u, some, r * (TOGETHER + LINE) + i, 0)
                        for k in range(left, right, LANES):
                            to = ((block * tiles + tile) * height) * wide + k
                            t = zeros(height, 1)
                            for i in range(count):
                                t = outer(t, some, i, TOGETHER + LINE, near, i * pitch + k - left)
                            if begin > first:
                                t = t + load(height, 1, sums, to, wide, 0)
                            store(t, sums, to, wide)

    return multiply


@kernel
def add_up(
    queue: Array, sums: Array, b: Array, y: Array, rows: int, high: int, blocks: int, tasks: int
) -> None:
    """Write ``y``, ``b`` and the sums of all blocks, ``high`` rows each. A task is some rows."""
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
def turned_product(height: int) -> Any:
    """Return the kernel of the second product, for tiles of ``height`` rows of ``dw``."""
    pitch = -(-height // LANES) * LANES

    @kernel
    def multiply(
        queue: Array, x: Array, dy: Array, dw: Array, columns: int, channels: int, tasks: int
    ) -> None:
        """Write ``dw``. A task is some tiles of it."""
        terms, wide = len(dw) // columns, -(-columns // LANES) * LANES
        pixels = terms // channels
        rows, tiles = len(dy) // columns, -(-terms // height)
        near = aligned(np.zeros(rows * wide + LINE, dtype=np.float32))
        for i in range(rows):
            for k in range(0, columns, LANES):
                store(
                    load_part(dy, i * columns + k, min(LANES, columns - k)), near, i * wide + k, 0
                )
        some = aligned(np.empty(TOGETHER * pitch + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * wide + LINE, dtype=np.float32))
        for task in share(queue):
            for tile in range(task * tiles // tasks, (task + 1) * tiles // tasks):
                m = tile * height
                sums[:] = 0
                for begin in range(0, rows, TOGETHER):
                    count = min(TOGETHER, rows - begin)
                    for i in range(count):
                        for v in range(0, pitch, LANES):
                            there = max(0, min(LANES, terms - m - v))
                            u = load_part(x, (begin + i) * terms + m + v, there)
                            store(u, some, i * pitch + v, 0)
                    for k in range(0, columns, LANES):
                        t = zeros(height, 1)
                        for i in range(count):
                            t = outer(t, some, i * pitch, 1, near, (begin + i) * wide + k)
                        store(t + load(height, 1, sums, k, wide, 0), sums, k, wide)
                for r in range(min(height, terms - m)):
                    pixel, c = (m + r) // channels, (m + r) % channels
                    to = (c * pixels + pixel) * columns
                    for k in range(0, columns, LANES):
                        u = load(1, 1, sums, r * wide + k, 0, 0)
                        store_part(u, dw, to + k, min(LANES, columns - k))

    return multiply


@cache
def product_turned(height: int) -> Any:
    """Return the kernel of the third product, for tiles of ``height`` images."""

    @kernel
    def multiply(
        queue: Array, dy: Array, w: Array, dx: Array, columns: int, channels: int, tasks: int
    ) -> None:
        """Write ``dx``, which has ``height`` rows at least. A task is some columns of it."""
        terms, wide = len(w) // columns, -(-columns // LANES) * LANES
        rows, panels = len(dy) // columns, -(-terms // LANES)
        # As many rows of w at a time as stay in a core's own cache.
        together = max(1, TOGETHER * GROUP // (LANES * wide)) * LANES
        some = aligned(np.zeros(together * wide + LINE, dtype=np.float32))
        near = aligned(np.empty(LANES * wide + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * LANES + LINE, dtype=np.float32))
        for task in share(queue):
            first = task * panels // tasks * LANES
            last = min(terms, (task + 1) * panels // tasks * LANES)
            for begin in range(first, last, together):
                end = min(last, begin + together)
                _fetch(w, columns, 0, columns, begin, end - begin, channels, some, wide)
                for i in range(begin, end, LANES):
                    count = min(LANES, end - i)
                    transpose_matrix(some, (i - begin) * wide, LANES, wide, near, 0, LANES)
                    for tile in range(0, rows, height):
                        m = min(tile, rows - height)  # the last one reaches back
                        sums[:] = 0
                        for k in range(0, columns, TOGETHER):
                            t = zeros(height, 1)
                            for f in range(k, min(columns, k + TOGETHER)):
                                t = outer(t, dy, m * columns + f, columns, near, f * LANES)
                            store(t + load(height, 1, sums, 0, LANES, 0), sums, 0, LANES)
                        t = load(height, 1, sums, 0, LANES, 0)
                        store_first(t, dx, m * terms + i, terms, count)

    return multiply
