r"""The gradient of the matrix of a product: the twin of that of a convolution of 1x1.

    dw[f,k] = Σ_m dz[m,f] · x[m,k]        db[f] = Σ_m dz[m,f]

A task is a block of dw. It packs the rows of both factors that its columns need, some two hundred
at a time: those of x into panels, one of which stays in the L1 cache while all tiles pass over it,
those of dz, gated, into tiles. Sums that are not complete stay in the L2 cache; those that are go
from the registers to dw. (See `pellucid.kernels.gemm.product`.)

The sum over the images is a tree over chunks (`pellucid.kernels.tree`), and a task adds up a whole
subtree, of which chunks without images are no part: one image is one sum. There is one block of
sums for each subtree that waits for its neighbour. A tile that completes a neighbour is added to it
before it leaves the registers. If a task can pack the rows of several chunks at once, each half of
a tile is a tree of its own instead. Where the blocks are too few for many threads, each has several
tasks, for a group of chunks each.

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
from ..simd import add_in_order, load, prefetch, store, store_part, zeros
from ..tree import add_chunks
from .gradient_factors import ROW, Ahead, Block, Cut, copy_gradient, fetch, pack_panels, tile_pitch
from .packing import HEIGHT, VECTORS, WIDTH
from .precision import PRECISIONS
from .rows import Pixels

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
    last: bool  # the sums are those of the gradient


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
        pitch = tile_pitch(cut)
        dz = aligned(np.empty(cut.high * pitch + LINE, np.float32))
        near = aligned(np.empty(cut.wide * cut.deep * WIDTH + LINE, np.float32))
        tower = aligned(np.empty(levels * size + LINE, np.float32))
        chunks = np.empty(per_group, np.int64)
        joins, places = np.empty_like(chunks), np.zeros(per_group + 1, np.int64)
        for task in share(queue):
            group, place = task // (down * across), task % (down * across)
            i, j = place % down, place // down
            first, last = i * tiles // down * HEIGHT, (i + 1) * tiles // down * HEIGHT
            left, right = j * panels // across * WIDTH, (j + 1) * panels // across * WIDTH
            block = Block(
                first, left, min(cut.filters, last) - first, min(cut.channels, right) - left
            )
            with_bias, c, dw = block.filters if j == 0 else 0, group * per_group, all_weights[group]
            all_bias[c : c + per_group, first : first + with_bias] = 0
            count = _joins(bounds[c : c + per_group + 1], chunks, joins)
            for k in range(count):
                chunk = c + chunks[k]
                of_chunk = (bounds[chunk + 1] - bounds[chunk]) * cut.per_image
                places[k + 1] = places[k] + -(-of_chunk // per_word)
            if count > 1 and places[count] <= cut.deep:
                for k in range(count):
                    chunk = c + chunks[k]
                    bias = all_bias[chunk, first : first + with_bias]
                    begin, end = bounds[chunk] * cut.per_image, bounds[chunk + 1] * cut.per_image
                    copy(dy, begin, end, block, cut, dz[places[k] * ROW :], bias)
                    pack(x, begin, end, block, cut, pixels, near[places[k] * WIDTH :])
                add_trees(dz, near, places[: count + 1], joins, block, cut, tower, dw)
            else:
                waiting, all_rows = 0, bounds[c + per_group] * cut.per_image
                for k in range(count):
                    chunk = c + chunks[k]
                    bias = all_bias[chunk, first : first + with_bias]
                    begin, end = bounds[chunk] * cut.per_image, bounds[chunk + 1] * cut.per_image
                    some = _even(end - begin, rows, per_word)
                    for m in range(begin, max(end, begin + 1), some):
                        to = min(m + some, end)
                        copy(dy, m, to, block, cut, dz, bias)
                        pack(x, m, to, block, cut, pixels, near)
                        ahead = Ahead(to, min(all_rows, to + some), x.numbers, dy)
                        words = -(-(to - m) // per_word)
                        complete = to == end
                        work = _Work(
                            words, waiting * size, m > begin, complete * joins[k], size,
                            complete and k + 1 == count,
                        )  # fmt: skip
                        add_products(dz, near, work, block, cut, pixels, ahead, tower, dw)
                    waiting += 1 - joins[k]

    return backward


@inlined
def _even(rows: int, most: int, per_word: int) -> int:
    """Return how many rows are packed together: the same number each time, at most ``most``."""
    times = max(1, -(-rows // most))
    return max(1, -(-rows // (times * per_word))) * per_word


@kernel
def _joins(bounds: Array, chunks: Array, joins: Array) -> int:
    """Write which chunks have images, and to how many sums that wait each one's is added.

    A sum waits for each whole subtree of the chunks so far, if there are images in it. At least one
    chunk counts, even if none has images.
    """
    count, waiting = 0, 0
    for k in range(len(chunks)):
        last = k + 1 == len(chunks)
        if bounds[k + 1] > bounds[k] or (last and count == 0):
            chunks[count] = k
            count += 1
    for i in range(count):
        end, begin, left = (chunks[i + 1] if i + 1 < count else len(chunks)), 0, 0
        size = len(chunks)
        while size > 0:
            if end & size:
                left += bounds[begin + size] > bounds[begin]
                begin += size
            size >>= 1
        left = max(left, 1)
        joins[i] = waiting + 1 - left
        waiting = left
    return count


@cache
def _products(precision: str) -> Any:
    """Return what adds the products of some packed rows to a tile."""
    add = PRECISIONS[precision].add_products

    @inlined
    def products(t: Any, left: Array, a: int, near: Array, b: int, words: tuple[int, int]) -> Any:
        """Return the tile with the products of some words (first, last) added."""
        first, last = words
        for r in range(first, last):
            t = add(t, left, a + r * ROW, 1, near, b + r * WIDTH)
        return t

    return products


@cache
def _add_products(precision: str) -> Any:
    products, write = _products(precision), _writer(HEIGHT)

    @kernel
    def add_products(
        left: Array, near: Array, work: _Work, block: Block, cut: Cut, pixels: Pixels, ahead: Ahead,
        sums: Array, dw: Array,
    ) -> None:  # fmt: skip
        """Add the products of all packed rows to a block of sums, and fetch the next rows."""
        tiles, panels = -(-block.filters // HEIGHT), -(-block.channels // WIDTH)
        row, waits, turns = ahead.row, 0, tiles * panels * -(-work.words // LINE)
        for panel in range(panels):
            b = panel * cut.deep * WIDTH
            for tile in range(tiles):
                at = work.sums + (panel * cut.high + tile) * SIZE
                t = zeros(HEIGHT, VECTORS)
                if work.last:
                    _fetch_results(dw, tile * HEIGHT, panel * WIDTH, block, cut)
                for r in range(0, work.words, LINE):
                    some = (r, min(r + LINE, work.words))
                    t = products(t, left, tile * tile_pitch(cut), near, b, some)
                    waits += ahead.end - ahead.row
                    while waits >= turns:
                        fetch(ahead, row, block, cut, pixels)
                        row, waits = row + 1, waits - turns
                if work.more:
                    t = t + load(HEIGHT, VECTORS, sums, at, WIDTH, LANES)
                for _ in range(work.waiting):
                    at -= work.size
                    t = add_in_order(load(HEIGHT, VECTORS, sums, at, WIDTH, LANES), t)
                if work.last:
                    write(t, dw, tile * HEIGHT, panel * WIDTH, block, cut, sums)
                else:
                    store(t, sums, at, WIDTH)

    return add_products


@inlined
def _fetch_results(dw: Array, f: int, k: int, block: Block, cut: Cut) -> None:
    """Fetch where a tile of the gradient will be written."""
    for r in range(HEIGHT):
        for v in range(VECTORS):
            prefetch(dw, (block.f + f + r) * cut.channels + block.k + k + v * LANES)


@cache
def _writer(rows: int) -> Any:
    """Return the function that writes a tile of ``rows`` filters to the gradient."""

    @inlined
    def write(t: Any, dw: Array, f: int, k: int, block: Block, cut: Cut, sums: Array) -> None:
        """Write the numbers of a tile that exist to the gradient."""
        to = (block.f + f) * cut.channels + block.k + k
        if f + rows <= block.filters and k + WIDTH <= block.channels:
            store(t, dw, to, cut.channels)
        else:
            store(t, sums, 0, WIDTH)
            for r in range(min(rows, block.filters - f)):
                for v in range(0, min(WIDTH, block.channels - k), LANES):
                    u = load(1, 1, sums, r * WIDTH + v, 0, 0)
                    store_part(u, dw, to + v, min(LANES, block.channels - k - v))
                to += cut.channels

    return write


@cache
def _add_trees(precision: str) -> Any:
    products, write = _products(precision), _writer(HALF)

    @kernel
    def add_trees(
        left: Array, near: Array, places: Array, joins: Array, block: Block, cut: Cut, sums: Array,
        dw: Array,
    ) -> None:  # fmt: skip
        """Write the gradient of chunks of few rows, all packed: each half of a tile is a tree.

        ``places`` are the words at which the chunks begin, and where the last one ends.
        """
        chunks = len(places) - 1
        for panel in range(-(-block.channels // WIDTH)):
            b = panel * cut.deep * WIDTH
            for half in range(0, -(-block.filters // HALF)):
                a = half // 2 * tile_pitch(cut) + half % 2 * HALF
                t, chunk, place = zeros(HALF, VECTORS), 0, 0
                while chunk < chunks:
                    words, waits = (places[chunk], places[chunk + 1]), joins[chunk]
                    t = products(zeros(HALF, VECTORS), left, a, near, b, words)
                    chunk += 1
                    if waits == 0 and chunk < chunks and joins[chunk] > 0:
                        # Neighbours are added in registers.
                        words, waits = (places[chunk], places[chunk + 1]), joins[chunk] - 1
                        u = products(zeros(HALF, VECTORS), left, a, near, b, words)
                        t, chunk = add_in_order(t, u), chunk + 1
                    for _ in range(waits):
                        place -= SIZE
                        t = add_in_order(load(HALF, VECTORS, sums, place, WIDTH, LANES), t)
                    if chunk < chunks:
                        store(t, sums, place, WIDTH)
                        place += SIZE
                write(t, dw, half * HALF, panel * WIDTH, block, cut, sums)

    return add_trees


@kernel
def add_up(queue: Array, sums: Array, dw: Array, tasks: int) -> None:
    """Write the tree's sum of ``sums`` (chunks, numbers) to ``dw``. A task is some columns."""
    for task in share(queue):
        first, last = task * len(dw) // tasks, (task + 1) * len(dw) // tasks
        add_chunks(sums, first, last)
        dw[first:last] = sums[0, first:last]
