r"""The gradient of the matrix of a product: the twin of that of a convolution of 1x1.

    dw[f,k] = Σ_m dz[m,f] · x[m,k]        db[f] = Σ_m dz[m,f]

A task is a block of dw. It packs the rows of both factors that its columns need, some hundred rows
at a time: those of x into panels, one of which stays in the L1 cache while all tiles pass over it,
those of dz, gated, one after the other. All sums of the block stay in the L2 cache. (See
`pellucid.kernels.gemm.product`.)

The sum over the images is a tree over chunks (`pellucid.kernels.tree`), and a task adds up a whole
subtree: it keeps one block of sums for each of its levels. A tile that completes a neighbour is
added to it before it leaves the registers. If a task can pack the rows of all chunks at once, each
half of a tile is a tree of its own instead. Where the blocks are too few for many threads, each has
several tasks, for a group of chunks each.

All arrays are flat, float32, C-contiguous, allocated by the engine. No two tasks write to the same
place. To 1e-5 relative in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.arguments import PartialSums
from ..convolution.layout import LINE, GatedGradient, aligned
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import add_in_order, load, store, store_part, zeros
from ..tree import add_chunks
from .gradient_factors import Ahead, Block, Cut, copy_gradient, fetch, pack_panels
from .packing import HEIGHT, VECTORS, WIDTH
from .precision import PRECISIONS
from .rows import PAD, Pixels

__all__ = ["Cut", "add_up", "backward_matrix"]

SIZE = HEIGHT * WIDTH
HALF = HEIGHT // 2  # rows of a tile: two of them fit into the registers


class _Work(NamedTuple):
    """How many words are packed, and which block of sums their products are added to."""

    words: int
    sums: int
    more: bool  # there are sums already
    waiting: int  # blocks before it whose neighbours these sums complete, one after the other
    size: int  # of a block


@cache
def backward_matrix(precision: str = "float32") -> Any:
    """Return the kernel for factors that are rounded to this precision."""
    per_word = PRECISIONS[precision].per_word
    copy, pack = copy_gradient(precision), pack_panels(precision)
    add_products, add_trees = _add_products(precision), _add_trees(precision)

    @kernel
    def backward(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, cut: Cut,
        pixels: Pixels,
    ) -> None:  # fmt: skip
        """Write the sums of each group of chunks (groups, F·K); of the bias (chunks, F)."""
        all_weights, all_bias, bounds = sums
        tiles, panels = -(-cut.filters // HEIGHT), -(-cut.channels // WIDTH)
        down, across = -(-tiles // cut.high), -(-panels // cut.wide)
        per_group = (len(bounds) - 1) // cut.groups
        levels = 1
        while 1 << (levels - 1) < per_group:
            levels += 1
        size, rows = cut.high * cut.wide * SIZE, cut.deep * per_word
        pitch = cut.high * HEIGHT + PAD
        dz = aligned(np.zeros(cut.deep * pitch + LINE, np.float32))
        near = aligned(np.zeros(cut.wide * cut.deep * WIDTH + LINE, np.float32))
        tower = aligned(np.empty(max(levels * size, size + levels * SIZE) + LINE, np.float32))
        places = np.zeros(per_group + 1, np.int64)
        for task in share(queue):
            group, place = task // (down * across), task % (down * across)
            i, j = place % down, place // down
            first, last = i * tiles // down * HEIGHT, (i + 1) * tiles // down * HEIGHT
            left, right = j * panels // across * WIDTH, (j + 1) * panels // across * WIDTH
            block = Block(
                first, left, min(cut.filters, last) - first, min(cut.channels, right) - left
            )
            with_bias = block.filters if j == 0 else 0
            c = group * per_group
            for k in range(per_group):
                count = (bounds[c + k + 1] - bounds[c + k]) * cut.per_image
                places[k + 1] = places[k] + -(-count // per_word)
            if places[per_group] <= cut.deep:
                for k in range(per_group):
                    bias = all_bias[c + k, first : first + with_bias]
                    bias[:] = 0
                    begin, end = bounds[c + k] * cut.per_image, bounds[c + k + 1] * cut.per_image
                    copy(dy, begin, end, block, cut, dz[places[k] * pitch :], bias)
                    pack(x, begin, end, block, cut, pixels, near[places[k] * WIDTH :])
                add_trees(dz, near, places, block, cut, tower)
            else:
                level, all_rows = 0, bounds[c + per_group] * cut.per_image
                for k in range(per_group):
                    bias = all_bias[c + k, first : first + with_bias]
                    bias[:] = 0
                    begin, end = bounds[c + k] * cut.per_image, bounds[c + k + 1] * cut.per_image
                    done, waits = 0, k
                    while waits & 1:
                        done, waits = done + 1, waits >> 1
                    for m in range(begin, max(end, begin + 1), rows):
                        to = min(m + rows, end)
                        copy(dy, m, to, block, cut, dz, bias)
                        pack(x, m, to, block, cut, pixels, near)
                        ahead = Ahead(to, min(all_rows, to + rows), x.numbers, dy)
                        words, waiting = -(-(to - m) // per_word), done if to == end else 0
                        work = _Work(words, level * size, m > begin, waiting, size)
                        add_products(dz, near, work, block, cut, pixels, ahead, tower)
                    level += 1 - done
            _write(tower, block, cut, all_weights[group])

    return backward


@cache
def _products(precision: str) -> Any:
    """Return what adds the products of some packed rows to a tile."""
    add = PRECISIONS[precision].add_products

    @inlined
    def products(
        t: Any, left: Array, a: int, pitch: int, near: Array, b: int, words: tuple[int, int]
    ) -> Any:
        """Return the tile with the products of some words (first, last) added."""
        first, last = words
        for r in range(first, last):
            t = add(t, left, a + r * pitch, 1, near, b + r * WIDTH)
        return t

    return products


@cache
def _add_products(precision: str) -> Any:
    products = _products(precision)

    @kernel
    def add_products(
        left: Array, near: Array, work: _Work, block: Block, cut: Cut, pixels: Pixels, ahead: Ahead,
        sums: Array,
    ) -> None:  # fmt: skip
        """Add the products of all packed rows to a block of sums, and fetch the next rows."""
        pitch = cut.high * HEIGHT + PAD
        tiles, panels = -(-block.filters // HEIGHT), -(-block.channels // WIDTH)
        row, waits, turns = ahead.row, 0, tiles * panels * -(-work.words // LINE)
        for panel in range(panels):
            b = panel * cut.deep * WIDTH
            for tile in range(tiles):
                at = work.sums + (panel * cut.high + tile) * SIZE
                t = zeros(HEIGHT, VECTORS)
                for r in range(0, work.words, LINE):
                    some = (r, min(r + LINE, work.words))
                    t = products(t, left, tile * HEIGHT, pitch, near, b, some)
                    waits += ahead.end - ahead.row
                    while waits >= turns:
                        fetch(ahead, row, block, cut, pixels)
                        row, waits = row + 1, waits - turns
                if work.more:
                    t = t + load(HEIGHT, VECTORS, sums, at, WIDTH, LANES)
                for _ in range(work.waiting):
                    at -= work.size
                    t = add_in_order(load(HEIGHT, VECTORS, sums, at, WIDTH, LANES), t)
                store(t, sums, at, WIDTH)

    return add_products


@cache
def _add_trees(precision: str) -> Any:
    products = _products(precision)

    @kernel
    def add_trees(
        left: Array, near: Array, places: Array, block: Block, cut: Cut, sums: Array
    ) -> None:
        """Write a block of sums over chunks of few rows, all packed: each half of a tile a tree.

        ``places`` are the words at which the chunks begin, and where the last one ends.
        """
        pitch, chunks = cut.high * HEIGHT + PAD, len(places) - 1
        levels = cut.high * cut.wide * SIZE  # where the sums of a tile begin that wait
        for panel in range(-(-block.channels // WIDTH)):
            b = panel * cut.deep * WIDTH
            for half in range(0, -(-block.filters // HALF)):
                a, t = half * HALF, zeros(HALF, VECTORS)
                for chunk in range(0, chunks, 2):
                    words = (places[chunk], places[chunk + 1])
                    t = products(zeros(HALF, VECTORS), left, a, pitch, near, b, words)
                    if chunk + 1 < chunks:  # neighbours are added in registers
                        u = zeros(HALF, VECTORS)
                        words = (places[chunk + 1], places[chunk + 2])
                        u = products(u, left, a, pitch, near, b, words)
                        t = add_in_order(t, u)
                    place, waits = levels, chunk >> 1
                    while waits & 1:
                        t = add_in_order(load(HALF, VECTORS, sums, place, WIDTH, LANES), t)
                        place, waits = place + SIZE, waits >> 1
                    if chunk + 2 < chunks:
                        store(t, sums, place, WIDTH)
                store(t, sums, panel * cut.high * SIZE + half * HALF * WIDTH, WIDTH)

    return add_trees


@kernel
def _write(tower: Array, block: Block, cut: Cut, dw: Array) -> None:
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
