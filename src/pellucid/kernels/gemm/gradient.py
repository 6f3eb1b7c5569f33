r"""The gradient of the matrix of a product: the twin of that of a convolution of 1x1.

    dw[f,k] = Σ_m dz[m,f] · x[m,k]        db[f] = Σ_m dz[m,f]

A task is a block of dw. It packs the rows of both factors that its columns need, some hundred rows
at a time: those of x into panels, one of which stays in the L1 cache while all tiles pass over it,
those of dz, gated, one after the other. All sums of the block stay in the L2
cache. (See `pellucid.kernels.gemm.product`.)

The sum over the images is a tree over chunks (`pellucid.kernels.tree`), and a task adds up a whole
subtree: it keeps one block of sums for each of its levels, until the neighbour is computed. If it
can pack the rows of all chunks at once, each half of a tile is a tree of its own instead, whose
first level is added in registers. Where the blocks are too few for many threads, each has several
tasks, for a group of chunks each.

All arrays are flat, float32, C-contiguous, allocated by the engine. No two tasks write to the same
place. To 1e-5 relative in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.arguments import PartialSums
from ..convolution.layout import LINE, GatedGradient, aligned
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import add_in_order, load, load_part, outer, prefetch, store, store_part, zeros
from ..tree import add_chunks
from .packing import HEIGHT, VECTORS, WIDTH
from .rows import PAD, Pixels, gated_part, pixel

__all__ = ["Cut", "add_up", "backward_matrix"]

SIZE = HEIGHT * WIDTH
HALF = HEIGHT // 2  # rows of a tile: two of them fit into the registers


class Cut(NamedTuple):
    """How the gradient (filters, channels) is cut into blocks, and the rows into what is packed."""

    filters: int
    channels: int
    high: int  # tiles of filters of a block
    wide: int  # panels of channels
    deep: int  # rows that are packed together
    per_image: int  # rows
    groups: int  # of chunks, each of which is summed up by tasks of its own


class _Block(NamedTuple):
    """A task's part of the gradient: its first filter and channel, and how many it has."""

    f: int
    k: int
    filters: int
    channels: int


class _Work(NamedTuple):
    """How many rows are packed, and which block of sums their products are added to."""

    rows: int
    sums: int
    more: bool  # there are sums already


class _Ahead(NamedTuple):
    """Which rows come next, and where they come from."""

    row: int
    end: int
    x: Array
    dy: GatedGradient


@kernel
def backward_matrix(
    queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, cut: Cut, pixels: Pixels
) -> None:
    """Write the sums of each group of chunks (groups, F·K), and those of the bias (chunks, F)."""
    all_weights, all_bias, bounds = sums
    tiles, panels = -(-cut.filters // HEIGHT), -(-cut.channels // WIDTH)
    down, across = -(-tiles // cut.high), -(-panels // cut.wide)
    per_group = (len(bounds) - 1) // cut.groups
    levels = 1
    while 1 << (levels - 1) < per_group:
        levels += 1
    size = cut.high * cut.wide * SIZE
    pitch = cut.high * HEIGHT + PAD
    dz = aligned(np.zeros(cut.deep * pitch + LINE, np.float32))
    near = aligned(np.zeros(cut.wide * cut.deep * WIDTH + LINE, np.float32))
    tower = aligned(np.empty(max(levels * size, size + levels * SIZE) + LINE, np.float32))
    for task in share(queue):
        group, place = task // (down * across), task % (down * across)
        i, j = place % down, place // down
        first, last = i * tiles // down * HEIGHT, (i + 1) * tiles // down * HEIGHT
        left, right = j * panels // across * WIDTH, (j + 1) * panels // across * WIDTH
        block = _Block(first, left, min(cut.filters, last) - first, min(cut.channels, right) - left)
        with_bias = block.filters if j == 0 else 0
        c = group * per_group
        origin, all_rows = bounds[c] * cut.per_image, bounds[c + per_group] * cut.per_image
        if all_rows - origin <= cut.deep:
            for chunk in range(c, c + per_group):
                bias = all_bias[chunk, first : first + with_bias]
                bias[:] = 0
                begin, end = bounds[chunk] * cut.per_image, bounds[chunk + 1] * cut.per_image
                _copy_gradient(dy, begin, end, block, cut, dz[(begin - origin) * pitch :], bias)
            _pack_panels(x, origin, all_rows, block, cut, pixels, near)
            _add_chunks(dz, near, bounds[c : c + per_group + 1], block, cut, tower)
        else:
            level = 0
            for chunk in range(c, c + per_group):
                bias = all_bias[chunk, first : first + with_bias]
                bias[:] = 0
                begin, end = bounds[chunk] * cut.per_image, bounds[chunk + 1] * cut.per_image
                if begin == end:
                    tower[level * size : (level + 1) * size] = 0
                for m in range(begin, end, cut.deep):
                    to = min(m + cut.deep, end)
                    _copy_gradient(dy, m, to, block, cut, dz, bias)
                    _pack_panels(x, m, to, block, cut, pixels, near)
                    ahead = _Ahead(to, min(all_rows, to + cut.deep), x.numbers, dy)
                    work = _Work(to - m, level * size, m > begin)
                    _add_products(dz, near, work, block, cut, pixels, ahead, tower)
                waits = chunk - c
                while waits & 1:
                    level, waits = level - 1, waits >> 1
                    _add_right(tower, level * size, size)
                level += 1
        _write(tower, block, cut, all_weights[group])


@kernel
def _copy_gradient(
    dy: GatedGradient, m: int, end: int, block: _Block, cut: Cut, near: Array, bias: Array
) -> None:
    """Copy the gated dz of rows ``m`` to ``end``, and add them up to ``bias``, if it is there."""
    numbers, gate, gated = dy.numbers, dy.gate, dy.gated
    count, pitch, adds = block.filters, cut.high * HEIGHT + PAD, len(bias) > 0
    for r in range(end - m):
        begin = (m + r) * cut.filters + block.f
        for v in range(0, count, LANES):
            some = min(LANES, count - v)
            u = gated_part(numbers, gate, gated, begin + v, some)
            store(u, near, r * pitch + v, 0)
            if adds:
                store_part(load_part(bias, v, some) + u, bias, v, some)


@kernel
def _pack_panels(
    x: GatedGradient, m: int, end: int, block: _Block, cut: Cut, pixels: Pixels, near: Array
) -> None:
    """Write rows ``m`` to ``end`` of x into panels."""
    numbers = x.numbers
    for r in range(end - m):
        begin = pixel(pixels, m + r) * cut.channels + block.k
        for v in range(0, block.channels, LANES):
            to = v // WIDTH * cut.deep * WIDTH + r * WIDTH + v % WIDTH
            store(load_part(numbers, begin + v, min(LANES, block.channels - v)), near, to, 0)


@inlined
def _fetch(ahead: _Ahead, row: int, block: _Block, cut: Cut, pixels: Pixels) -> None:
    """Fetch a row that is packed next."""
    x, dy, gate = ahead.x, ahead.dy.numbers, ahead.dy.gate
    begin = pixel(pixels, row) * cut.channels + block.k
    for k in range(begin, begin + block.channels, LINE):
        prefetch(x, k)
    begin = row * cut.filters + block.f
    for k in range(begin, begin + block.filters, LINE):
        prefetch(dy, k)
        if ahead.dy.gated:
            prefetch(gate, k)


@inlined
def _products(
    t: Any, left: Array, a: int, pitch: int, near: Array, b: int, rows: tuple[int, int]
) -> Any:
    """Return the tile with the products of some packed rows (first, last) added."""
    first, last = rows
    for r in range(first, last):
        t = outer(t, left, a + r * pitch, 1, near, b + r * WIDTH)
    return t


@kernel
def _add_products(
    left: Array, near: Array, work: _Work, block: _Block, cut: Cut, pixels: Pixels, ahead: _Ahead,
    sums: Array,
) -> None:  # fmt: skip
    """Add the products of the packed rows to a block of sums, and fetch the next rows meanwhile."""
    pitch = cut.high * HEIGHT + PAD
    tiles, panels = -(-block.filters // HEIGHT), -(-block.channels // WIDTH)
    row, waits, turns = ahead.row, 0, tiles * panels * -(-work.rows // LINE)
    for panel in range(panels):
        b = panel * cut.deep * WIDTH
        for tile in range(tiles):
            at = work.sums + (panel * cut.high + tile) * SIZE
            t = zeros(HEIGHT, VECTORS)
            for r in range(0, work.rows, LINE):
                t = _products(t, left, tile * HEIGHT, pitch, near, b, (r, min(r + LINE, work.rows)))
                waits += ahead.end - ahead.row
                while waits >= turns:
                    _fetch(ahead, row, block, cut, pixels)
                    row, waits = row + 1, waits - turns
            if work.more:
                t = t + load(HEIGHT, VECTORS, sums, at, WIDTH, LANES)
            store(t, sums, at, WIDTH)


@kernel
def _add_chunks(
    left: Array, near: Array, bounds: Array, block: _Block, cut: Cut, sums: Array
) -> None:
    """Write a block of sums over chunks of few rows, all packed: each half of a tile a tree."""
    pitch, chunks = cut.high * HEIGHT + PAD, len(bounds) - 1
    levels = cut.high * cut.wide * SIZE  # where the sums of a tile begin that wait
    for panel in range(-(-block.channels // WIDTH)):
        b = panel * cut.deep * WIDTH
        for half in range(0, -(-block.filters // HALF)):
            a, t = half * HALF, zeros(HALF, VECTORS)
            for chunk in range(0, chunks, 2):
                t = _products(
                    zeros(HALF, VECTORS), left, a, pitch, near, b, _rows(bounds, chunk, cut)
                )
                if chunk + 1 < chunks:  # neighbours are added in registers
                    u = zeros(HALF, VECTORS)
                    u = _products(u, left, a, pitch, near, b, _rows(bounds, chunk + 1, cut))
                    t = add_in_order(t, u)
                place, waits = levels, chunk >> 1
                while waits & 1:
                    t = add_in_order(load(HALF, VECTORS, sums, place, WIDTH, LANES), t)
                    place, waits = place + SIZE, waits >> 1
                if chunk + 2 < chunks:
                    store(t, sums, place, WIDTH)
            store(t, sums, panel * cut.high * SIZE + half * HALF * WIDTH, WIDTH)


@kernel
def _rows(bounds: Array, chunk: int, cut: Cut) -> tuple[int, int]:
    """Return which of the packed rows are those of a chunk."""
    first = bounds[0]
    return (bounds[chunk] - first) * cut.per_image, (bounds[chunk + 1] - first) * cut.per_image


@kernel
def _add_right(tower: Array, left: int, size: int) -> None:
    """Add to the block of sums at ``left`` its neighbour, which follows it."""
    for k in range(left, left + size, LANES):
        store(
            add_in_order(load(1, 1, tower, k, 0, 0), load(1, 1, tower, k + size, 0, 0)), tower, k, 0
        )


@kernel
def _write(tower: Array, block: _Block, cut: Cut, dw: Array) -> None:
    """Write the sums of a block to their places in the gradient."""
    for f in range(block.filters):
        for k in range(0, block.channels, LANES):
            tile = k // WIDTH * cut.high + f // HEIGHT
            u = load(1, 1, tower, tile * SIZE + f % HEIGHT * WIDTH + k % WIDTH, 0, 0)
            to = (block.f + f) * cut.channels + block.k + k
            store_part(u, dw, to, min(LANES, block.channels - k))


@kernel
def add_up(queue: Array, sums: Array, dw: Array, tasks: int) -> None:
    """Write the tree's sum of ``sums`` (chunks, numbers) to ``dw``. A task is some columns."""
    for task in share(queue):
        first, last = task * len(dw) // tasks, (task + 1) * len(dw) // tasks
        add_chunks(sums, first, last)
        dw[first:last] = sums[0, first:last]
