"""Convolution, with ReLU and max pooling if they follow: the twin of `pellucid.ops`, to 1e-5.

*im2col without the copy.* An image is laid out once, with its padding, so that every row of its
im2col matrix is a contiguous run of it: with stride S the image is split into S x S phases, and
phase (a, b) holds the rows a, a+S, ... and the columns b, b+S, .... Then

    z[f, p] = b[f] + Σ_t w[t, f] · xs[at[t] + p]         t = (c, u, v), p = (oy, ox)

where ``at[t]`` is where tap t begins, and p counts along whole phase rows: the few cells between
one output row and the next are computed and thrown away.

*Pooling in the registers.* Windows of KxK that do not overlap take K² convolutions of stride K, one
for each cell q of the window. In the layout for stride S·K each has a tap table of its own, and

    y[f, p] = max_q z_q[f, p]                            z_q: with at[q, t]

The convolution's own output is never written. Without pooling there is one q.

*Gradients* are of the same form: ``dw[f, t] = Σ_q Σ_p dz_q[f, p] · xs[at[q, t] + p]``, and dx is
the forward of the spread dz with the flipped filters, as in ops/conv.py.

Outside (N, C, H, W), float32, C-contiguous. The engine allocates; ``xs`` and ``ys`` are one room a
chunk, zeroed once. Parallel over chunks of images, whose number does not depend on the threads: no
two chunks write to one place, and sums over the batch are added up chunk by chunk.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..typing import Array
from .jit import LANES, REGISTERS, kernel, parallel_kernel, prange
from .layout import Layout
from .simd import (
    add_column,
    add_sums,
    inner_at,
    keep_larger,
    load_part,
    outer,
    plus,
    relu,
    store,
    store_part,
    where_above_zero,
    where_equal,
    zeros,
)

__all__ = [
    "CHUNKS",
    "INNER_COLUMNS",
    "INNER_ROWS",
    "backward_weights",
    "forward",
    "tile_shape",
    "unpool",
]

CHUNKS = 16  # enough to share out among the cores of a desk, few enough to add up
# Tiles of `forward`, rows x vectors, that leave registers for what one step reads.
TILES = (
    ((15, 1), (10, 2), (8, 3), (6, 4), (4, 4), (2, 4), (1, 4))
    if REGISTERS == 32
    else ((5, 2), (4, 3), (2, 4), (1, 4))
)
INNER_ROWS, INNER_COLUMNS = (5, 4) if REGISTERS == 32 else (3, 3)  # of `backward_weights`


def tile_shape(filters: int, lay: Layout) -> tuple[int, int]:
    """Return the tile, rows x vectors, that computes the least beside what is wanted."""

    def work(tile: tuple[int, int]) -> tuple[float, int]:
        rows, vectors = tile
        waste = 1 + 1 / (rows * vectors)  # small tiles wait for their own sums
        return -(-filters // rows) * rows * lay.reach(vectors) * waste, -rows

    return min((tile for tile in TILES if tile[0] <= filters), key=work)


@kernel
def lay_out(x: Array, n: int, xs: Array, begin: int, lay: Layout) -> None:
    """Write image n of the flat ``x`` into ``xs`` from ``begin`` on; its padding is there."""
    phase = lay.rows * lay.pitch
    plane, channels = lay.sh * lay.sw * phase, lay.groups * lay.channels
    for c in range(channels):
        for i in range(lay.h):
            row = ((n * channels + c) * lay.h + i) * lay.w
            line = i * lay.spread_h + lay.top
            at = begin + c * plane
            at += (line % lay.sh) * lay.sw * phase + (line // lay.sh) * lay.pitch
            if lay.sw == 1 and lay.spread_w == 1:
                for j in range(0, lay.w, LANES):
                    count = min(LANES, lay.w - j)
                    store_part(load_part(x, row + j, count), xs, at + lay.left + j, count)
            elif lay.sw == 1:
                for j in range(lay.w):
                    xs[at + lay.left + j * lay.spread_w] = x[row + j]
            else:
                for b in range(lay.sw):
                    first = (b - lay.left) % lay.sw  # the first column of this phase
                    to = at + b * phase + (first + lay.left) // lay.sw
                    for k in range((lay.w - first + lay.sw - 1) // lay.sw):
                        xs[to + k] = x[row + first + k * lay.sw]


@kernel
def _gather_rows(rows: Array, begin: int, y: Array, at: int, lay: Layout) -> None:
    """Write one filter's outputs from ``begin``, without what lies between its rows, to y[at:]."""
    for i in range(lay.oh):
        for j in range(0, lay.ow, LANES):
            n = min(LANES, lay.ow - j)
            store_part(load_part(rows, begin + i * lay.pitch + j, n), y, at + i * lay.ow + j, n)


@cache
def forward(height: int, vectors: int) -> Any:
    """Return the forward kernel for tiles of ``height`` filters x ``vectors``."""

    @parallel_kernel
    def convolve(
        x: Array, w: Array, b: Array, y: Array, arg: Array, xs: Array, ys: Array, args: Array,
        at: Array, lay: Layout, reach: int, rectify: bool,
    ) -> None:  # fmt: skip
        images, (taps, filters), cells = len(x), w.shape, len(at)
        flat_x, flat_w, flat_b = x.reshape(x.size), w.reshape(w.size), b.reshape(b.size)
        flat_y, flat_arg = y.reshape(y.size), arg.reshape(arg.size)
        per_group = filters // lay.groups
        group_room = lay.channels * lay.sh * lay.sw * lay.rows * lay.pitch
        for chunk in prange(CHUNKS):
            room, out, won = xs[chunk], ys[chunk], args[chunk]
            for n in range(chunk * images // CHUNKS, (chunk + 1) * images // CHUNKS):
                lay_out(flat_x, n, room, 0, lay)
                for g in range(lay.groups):
                    for block in range(0, per_group, height):
                        # The last block of a group reaches back, and computes some rows again.
                        f = g * per_group + min(block, per_group - height)
                        for p in range(0, reach, vectors * LANES):
                            best = winner = zeros(height, vectors)
                            start = g * group_room + p
                            for q in range(cells):
                                t = zeros(height, vectors)
                                for k in range(taps):
                                    t = outer(t, flat_w, k * filters + f, 1, room, start + at[q, k])
                                if q == 0:
                                    best = t
                                else:
                                    best, winner = keep_larger(best, winner, t, np.float32(q))
                            if cells > 1:
                                store(winner, won, f * reach + p, reach)
                            best = add_column(best, flat_b, f)
                            if rectify:
                                best = relu(best)
                            store(best, out, f * reach + p, reach)
                for f in range(filters):
                    place = (n * filters + f) * lay.oh * lay.ow
                    _gather_rows(out, f * reach, flat_y, place, lay)
                    if cells > 1:
                        _gather_rows(won, f * reach, flat_arg, place, lay)

    return convolve


@parallel_kernel
def backward_weights(
    x: Array, dy: Array, y: Array, arg: Array, dw: Array, db: Array, xs: Array, ds: Array,
    at: Array, lay: Layout, reach: int, together: int, rectify: bool,
) -> None:  # fmt: skip
    """Write each chunk's share of the weight and bias gradients into ``dw[chunk]``, ``db[chunk]``.

    A tile runs over so many images ``together``, for which ``xs`` and ``ds`` have room, before its
    lanes are added up. The tables ``at`` are filled up to whole tiles with any place, ``ds`` with
    rows of zeros, and ``dw`` (CHUNKS, filters, taps) has room for what comes of them.
    """
    images, filters, cells, taps = len(x), dy.shape[1], at.shape[0], at.shape[1]
    lines = dw.shape[1]
    per_group, tall, image_room = (
        filters // lay.groups,
        lines // lay.groups,
        xs.shape[1] // together,
    )
    group_room = lay.channels * lay.sh * lay.sw * lay.rows * lay.pitch
    flat_at, flat_x, flat_dy = at.reshape(at.size), x.reshape(x.size), dy.reshape(dy.size)
    flat_y, flat_arg = y.reshape(y.size), arg.reshape(arg.size)
    for chunk in prange(CHUNKS):
        room, out = xs[chunk], ds[chunk]
        sums = dw[chunk].reshape(lines * taps)
        sums[:] = 0
        db[chunk] = 0
        low, high = chunk * images // CHUNKS, (chunk + 1) * images // CHUNKS
        for n in range(low, high, together):
            block = min(together, high - n)
            for i in range(block):
                lay_out(flat_x, n + i, room, i * image_room, lay)
                for f in range(filters):
                    row = i * cells * lines + (f // per_group) * tall + f % per_group
                    _lay_out_gradient(
                        flat_dy, flat_y, flat_arg, ((n + i) * filters + f) * lay.oh * lay.ow, cells,
                        rectify, out, row * reach, lines * reach, lay, db[chunk], f,
                    )  # fmt: skip
            for f in range(0, lines, INNER_ROWS):
                start = (f // tall) * group_room
                for k in range(0, taps, INNER_COLUMNS):
                    t = zeros(INNER_ROWS, INNER_COLUMNS)
                    for i in range(block):
                        begin = start + i * image_room
                        for q in range(cells):
                            row = ((i * cells + q) * lines + f) * reach
                            for p in range(0, reach, LANES):
                                t = inner_at(
                                    t, out, row + p, reach, room, begin + p, flat_at, q * taps + k
                                )
                    add_sums(t, sums, f * taps + k, taps)


@kernel
def _lay_out_gradient(
    dy: Array, y: Array, arg: Array, at: int, cells: int, rectify: bool, out: Array, begin: int,
    size: int, lay: Layout, db: Array, f: int,
) -> None:  # fmt: skip
    """Write one filter's ``dy[at:]`` where the ReLU let it through, for each cell that won.

    Cell q of the pooling window has its numbers from ``begin + q·size`` on; their sum is added to
    ``db[f]``.
    """
    total = zeros(1, 1)
    for i in range(lay.oh):
        for j in range(0, lay.ow, LANES):
            n, here = min(LANES, lay.ow - j), at + i * lay.ow + j
            there = begin + i * lay.pitch + j
            d = load_part(dy, here, n)
            if rectify:
                d = where_above_zero(d, load_part(y, here, n))
            total = plus(total, d)
            if cells == 1:
                store_part(d, out, there, n)
                continue
            won = load_part(arg, here, n)
            for q in range(cells):
                store_part(where_equal(d, won, np.float32(q)), out, there + q * size, n)
    add_sums(total, db, f, 0)


@parallel_kernel
def unpool(dy: Array, y: Array, arg: Array, dz: Array, pool: int, rectify: bool) -> None:
    """Write the gradient ``dz`` (N, FN, OH, OW) of the convolution's own output."""
    for n in prange(len(dy)):
        for f in range(dy.shape[1]):
            dz[n, f] = 0
            for i in range(dy.shape[2]):
                for j in range(dy.shape[3]):
                    if not rectify or y[n, f, i, j] > 0:
                        q = int(arg[n, f, i, j])
                        dz[n, f, pool * i + q // pool, pool * j + q % pool] = dy[n, f, i, j]
