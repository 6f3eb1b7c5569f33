r"""The gradient of the matrix of a product: the twin of that of a convolution of 1x1.

    dw[f,k] = Σ_m dz[m,f] · x[m,k]        db[f] = Σ_m dz[m,f]

A task is a block of dw. It packs the rows of both factors that its columns need, some hundred rows
at a time: those of x into panels, one of which stays in the L1 cache while all tiles pass over it,
those of dz, gated, one after the other. All sums of the block stay in the L2
cache. (See `pellucid.kernels.gemm.product`.)

The sum over the images is a tree over chunks (`pellucid.kernels.tree`), and a task adds up a whole
subtree: it keeps one block of sums for each of its levels, until the neighbour is computed. Where
the blocks are too few for many threads, each has a task for each chunk.

All arrays are flat, float32, C-contiguous, allocated by the engine. No two tasks write to the same
place. To 1e-5 relative in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.arguments import PartialSums
from ..convolution.layout import LINE, GatedGradient, aligned
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import add_in_order, load, load_part, outer, store, store_part, zeros
from ..tree import add_chunks
from .packing import HEIGHT, VECTORS, WIDTH
from .rows import PAD, Pixels, gated_part, pixel

__all__ = ["Cut", "add_up", "backward_matrix"]

SIZE = HEIGHT * WIDTH


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
    dz = aligned(np.zeros(cut.deep * (cut.high * HEIGHT + PAD) + LINE, np.float32))
    near = aligned(np.zeros(cut.wide * cut.deep * WIDTH + LINE, np.float32))
    tower = aligned(np.empty(levels * size + LINE, np.float32))
    for task in share(queue):
        group, place = task // (down * across), task % (down * across)
        i, j = place % down, place // down
        first, last = i * tiles // down * HEIGHT, (i + 1) * tiles // down * HEIGHT
        left, right = j * panels // across * WIDTH, (j + 1) * panels // across * WIDTH
        block = _Block(first, left, min(cut.filters, last) - first, min(cut.channels, right) - left)
        level = 0
        for c in range(per_group):
            chunk = group * per_group + c
            bias = all_bias[chunk, first : first + (block.filters if j == 0 else 0)]
            bias[:] = 0
            begin, end = bounds[chunk] * cut.per_image, bounds[chunk + 1] * cut.per_image
            if begin == end:
                tower[level * size : (level + 1) * size] = 0
            for m in range(begin, end, cut.deep):
                rows = min(cut.deep, end - m)
                _copy_gradient(dy, m, rows, block, cut, dz, bias)
                _pack_panels(x, m, rows, block, cut, pixels, near)
                _add_products(dz, near, rows, block, cut, tower, level * size, m > begin)
            waits = c
            while waits & 1:
                level, waits = level - 1, waits >> 1
                _add_right(tower, level * size, size)
            level += 1
        _write(tower, block, cut, all_weights[group])


@kernel
def _copy_gradient(
    dy: GatedGradient, m: int, rows: int, block: _Block, cut: Cut, near: Array, bias: Array
) -> None:
    """Copy the gated dz of some rows, and add them up to ``bias``, if that is as long."""
    numbers, gate, gated = dy.numbers, dy.gate, dy.gated
    count, pitch, adds = block.filters, cut.high * HEIGHT + PAD, len(bias) > 0
    for r in range(rows):
        begin = (m + r) * cut.filters + block.f
        for v in range(0, count, LANES):
            some = min(LANES, count - v)
            u = gated_part(numbers, gate, gated, begin + v, some)
            store(u, near, r * pitch + v, 0)
            if adds:
                store_part(load_part(bias, v, some) + u, bias, v, some)


@kernel
def _pack_panels(
    x: GatedGradient, m: int, rows: int, block: _Block, cut: Cut, pixels: Pixels, near: Array
) -> None:
    """Write some rows of x into panels."""
    numbers = x.numbers
    for r in range(rows):
        begin = pixel(pixels, m + r) * cut.channels + block.k
        for v in range(0, block.channels, LANES):
            to = v // WIDTH * cut.deep * WIDTH + r * WIDTH + v % WIDTH
            store(load_part(numbers, begin + v, min(LANES, block.channels - v)), near, to, 0)


@kernel
def _add_products(
    left: Array, near: Array, rows: int, block: _Block, cut: Cut, sums: Array, first: int,
    more: bool,
) -> None:  # fmt: skip
    """Add the products of the packed rows to the sums of a block from ``first`` on."""
    pitch = cut.high * HEIGHT + PAD
    for panel in range(-(-block.channels // WIDTH)):
        b = panel * cut.deep * WIDTH
        for tile in range(-(-block.filters // HEIGHT)):
            a, t = tile * HEIGHT, zeros(HEIGHT, VECTORS)
            for r in range(rows):
                t = outer(t, left, a + r * pitch, 1, near, b + r * WIDTH)
            at = first + (panel * cut.high + tile) * SIZE
            if more:
                t = t + load(HEIGHT, VECTORS, sums, at, WIDTH, LANES)
            store(t, sums, at, WIDTH)


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
