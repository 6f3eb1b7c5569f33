"""Rows of numbers times a matrix: the twin of a convolution of 1x1, and of `pellucid.ops.linear`.

    y[m,n] = f(bias[n] + plus[m,n] + Σ_k x[m,k] · b[k,n])

A row is a pixel, of any image. Of a tile of sums, some rows x a panel of b, every number stays in a
register while k runs along a block of the depth (see `pellucid.kernels.gemm.packing`). Its height
is one of two, `HEIGHTS`: the 49 rows of an image of 7x7 fill five tiles of 10, and not those of 12.

*Blocks for the caches* (Goto & van de Geijn 2008, section 4). A block of a panel stays in the L1
cache while all tiles of a task pass over it, and a block of the task's rows stays in the L2 cache
while it goes from panel to panel. So a task reads b once, and x once. The sums of its tiles wait in
the L2 cache until the next block of the depth. What comes from memory is fetched ahead: the rows of
the next tile by the first panel, what a tile writes before its products.

*Rows that are copied.* The gradient before a ReLU, every other pixel of an image, and numbers of
less precision are not there as rows; and rows that begin a multiple of 2 KiB apart push each other
out of the L1 cache. Where the output is every other pixel, the task writes the zeros between.

All arrays are flat, float32, C-contiguous, allocated by the engine; ``bias`` is as long as the
panels are wide. A task is a block of y, and writes to no other. A sum depends neither on the other
rows nor on the task. To 1e-5 relative in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.activation import Activation, on_tiles
from ..convolution.layout import LINE, GatedGradient, aligned
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    add_row,
    load,
    load_part,
    prefetch,
    prefetch_row,
    store,
    store_first,
    store_part,
    zeros,
)
from .packing import HEIGHT, PLAIN, TRANSPOSED, VECTORS, WIDTH
from .precision import PRECISIONS
from .rows import PAD, Pixels, pixel, zero_between

__all__ = ["CROWDED", "HEIGHTS", "MANY", "Blocks", "Results", "Where", "multiply"]

HEIGHTS = HEIGHT, HEIGHT * 5 // 6  # of a tile
FAR = 48  # products of each sum: fewer take less time than memory, which is busy enough

# Rows that begin a multiple of so many numbers apart compete for the same sets of the L1 cache.
CROWDED = 512
MANY = 8  # panels of a task, for which it pays to copy such rows

LARGE = 2**18  # numbers of a matrix that exceeds the L2 cache


class Results(NamedTuple):
    """Where a product goes, and what is added to it."""

    y: Array
    bias: Array
    plus: Array  # of the shape of y; one element if nothing is added


class Blocks(NamedTuple):
    """How a product is cut: tasks are ``down · across`` blocks of rows and panels."""

    rows: int
    depth: int
    columns: int
    deep: int  # numbers of a row that go through the L1 cache together
    down: int
    across: int
    packing: int  # b is there in panels, or is packed on the way
    added: bool  # there is a ``plus``


class Where(NamedTuple):
    """Which pixels of images the rows of x are, and those of y."""

    read: Pixels
    written: Pixels


class _Scratch(NamedTuple):
    """Arrays of one thread: two for the size of a tile; sums that wait; rows; their places."""

    tile: Array
    result: Array
    sums: Array
    rows: Array  # copied
    ahead: Array  # int64


class _Part(NamedTuple):
    """A block of a panel, and the tiles that pass over it."""

    top: int  # tiles
    end: int
    first: bool  # panel of the task, for which rows come from memory
    in_place: bool
    n: int  # the panel's first column
    j: int  # its place
    k: int  # the block's first number
    terms: int
    sums: int  # place of those of the first tile


@cache
def _panel(vectors: int, functions: bool, precision: str, height: int) -> Any:
    """Return what multiplies a task's rows with a block of a panel of ``vectors``."""
    width = vectors * LANES
    per_word, add_products, copy_rows, _ = PRECISIONS[precision]
    step = LINE * per_word  # numbers of a row between two requests for what comes next
    activated = on_tiles(height, vectors, functions=functions)

    @inlined
    def add_plus(t: Any, plus: Array, m: int, n: int, blocks: Blocks, scratch: Array) -> Any:
        """Return the tile with its part of ``plus`` added."""
        count = min(width, blocks.columns - n)
        if count == width and blocks.rows >= height:
            return t + load(height, vectors, plus, m * blocks.columns + n, blocks.columns, LANES)
        for r in range(min(height, blocks.rows)):
            for v in range(0, count, LANES):
                u = load_part(plus, (m + r) * blocks.columns + n + v, min(LANES, count - v))
                store(u, scratch, r * width + v, 0)
        return t + load(height, vectors, scratch, 0, width, LANES)

    @inlined
    def write(
        t: Any, y: Array, m: int, n: int, blocks: Blocks, pixels: Pixels, scratch: Array
    ) -> None:
        """Write the numbers of a tile that exist, to the pixels that its rows are."""
        count = min(width, blocks.columns - n)
        if blocks.rows >= height and pixels.step_h * pixels.step_w == 1:
            to = m * blocks.columns + n
            if count == width:
                store(t, y, to, blocks.columns)
            else:
                store_first(t, y, to, blocks.columns, count)
            return
        store(t, scratch, 0, width)
        for r in range(min(height, blocks.rows)):
            to = pixel(pixels, m + r) * blocks.columns + n
            for v in range(0, count, LANES):
                u = load(1, 1, scratch, r * width + v, 0, 0)
                store_part(u, y, to + v, min(LANES, count - v))

    @inlined
    def fetch_results(y: Array, m: int, part: _Part, blocks: Blocks) -> None:
        """Fetch what a tile will write, while its products are computed."""
        if part.k + part.terms == blocks.depth and part.terms >= FAR:
            for r in range(height):
                for v in range(vectors):
                    prefetch(y, (m + r) * blocks.columns + part.n + v * LANES)

    @inlined
    def fetch_rows(source: GatedGradient, ahead: Array, begin: int) -> None:
        """Fetch a line of each row of the next tile."""
        for r in range(height):
            for k in range(begin, begin + step, LINE):
                prefetch_row(1, source.numbers, ahead[r] + k)
                if source.gated:
                    prefetch_row(1, source.gate, ahead[r] + k)

    @inlined
    def fetch_matrix(b: Array, tile: int, begin: int, part: _Part, blocks: Blocks) -> None:
        """Fetch a tile's share of what is packed for the next panel."""
        tiles, n = part.end - part.top, part.n + WIDTH
        if blocks.depth * blocks.columns < LARGE:
            return
        if blocks.packing == TRANSPOSED:
            for r in range(tile * WIDTH // tiles, (tile + 1) * WIDTH // tiles):
                for k in range(begin, begin + step, LINE):
                    prefetch_row(1, b, (n + r) * blocks.depth + part.k + k)
        if blocks.packing == PLAIN:
            for r in range(tile * step // tiles, (tile + 1) * step // tiles):
                for v in range(0, WIDTH, LINE):
                    prefetch_row(1, b, (part.k + begin + r) * blocks.columns + n + v)

    @kernel
    def multiply_panel(
        source: GatedGradient, b: Array, panel: Array, out: Results, scratch: _Scratch, part: _Part,
        blocks: Blocks, where: Where, activation: Activation,
    ) -> None:  # fmt: skip
        """Add the products to the sums of each tile; after the last block, write them."""
        (y, bias, plus), (near, result, sums, copied, ahead) = out, scratch
        numbers = source.numbers
        x, pitch = numbers, blocks.depth
        if not part.in_place:
            x, pitch = copied, -(-blocks.deep // per_word) + PAD
        fetches = part.first and part.terms >= FAR
        for tile in range(part.top, part.end):
            # The last tile overlaps the one before.
            m = max(0, min(tile * height, blocks.rows - height))
            at, t = m * pitch + part.k, zeros(height, vectors)
            if not part.in_place:
                at = (tile - part.top) * height * pitch
            if part.first and not part.in_place:
                rows, block = (m, min(blocks.rows, m + height)), (part.k, part.terms)
                copy_rows(source, where.read, rows, blocks.depth, block, copied[at:], pitch)
            if fetches:
                for r in range(height):
                    ahead[r] = pixel(where.read, m + height + r) * blocks.depth + part.k
            fetch_results(y, m, part, blocks)
            for begin in range(0, part.terms, step):
                if fetches:
                    fetch_rows(source, ahead, begin)
                fetch_matrix(b, tile - part.top, begin, part, blocks)
                first, last = begin // per_word, min(begin + step, part.terms)
                for k in range(first, -(-last // per_word)):
                    t = add_products(t, x, at + k, pitch, panel, part.j + k * width)
            of_tile = part.sums + (tile - part.top) * height * WIDTH
            if part.k > 0:
                t = t + load(height, vectors, sums, of_tile, width, LANES)
            if part.k + part.terms < blocks.depth:
                store(t, sums, of_tile, width)
            else:
                t = add_row(t, bias, part.n)
                if blocks.added:
                    t = add_plus(t, plus, m, part.n, blocks, near)
                t = activated(t, activation, near, result)
                write(t, y, m, part.n, blocks, where.written, near)

    return multiply_panel


@cache
def multiply(functions: bool, precision: str = "float32", height: int = HEIGHT) -> Any:
    """Return the kernel whose activation is one of the ``functions``, or a pair of bounds.

    The ``precision`` is that of both factors; `Blocks.deep` is a multiple of the numbers in a word,
    unless it is the whole depth.
    """
    wide_panel, narrow_panel = (_panel(each, functions, precision, height) for each in (VECTORS, 1))
    per_word, _, _, pack_block = PRECISIONS[precision]
    tile_size = height * WIDTH

    @kernel
    def product(
        queue: Array, source: GatedGradient, b: Array, out: Results, blocks: Blocks, where: Where,
        activation: Activation,
    ) -> None:  # fmt: skip
        """Write ``y``. The last two tiles belong to one task."""
        rows, depth, columns, deep, down, across, packing, _ = blocks
        (read, written), tiles, panels = where, -(-rows // height), -(-columns // WIDTH)
        most, wide = -(-tiles // down), -(-panels // across)
        in_place = per_word == 1 and not source.gated and read.step_h * read.step_w == 1
        in_place = in_place and rows >= height and (depth % CROWDED != 0 or wide < MANY)
        words, of_block = -(-depth // per_word), -(-deep // per_word)
        copied = np.empty((0 if in_place else most * height * (of_block + PAD)) + LINE, np.float32)
        near = aligned(np.empty((of_block * WIDTH if packing else 0) + LINE, np.float32))
        waiting = most * wide if deep < depth else 0
        whole = aligned(np.empty((waiting + 2) * tile_size + LINE, np.float32))
        ahead = np.empty(height, np.int64)
        for task in share(queue):
            i, j = task % down, task // down
            top, end = i * tiles // down, (i + 1) * tiles // down
            left, right = j * panels // across, (j + 1) * panels // across
            if j == 0 and written.step_h * written.step_w > 1:
                zero_between(out.y, written, top * height, min(rows, end * height), columns)
            for k in range(0, depth, deep):
                terms = min(deep, depth - k)
                for p in range(left, right):
                    n = p * WIDTH
                    narrow = columns - n <= LANES
                    width = LANES if narrow else WIDTH
                    panel, place = b, n * words + k // per_word * width
                    if packing:
                        panel, place = near, 0
                        pack_block(b, depth, columns, (n, k, terms), packing, near)
                    size = height * width
                    scratch = _Scratch(
                        whole[:size], whole[tile_size : tile_size + size], whole[2 * tile_size :],
                        aligned(copied), ahead,
                    )  # fmt: skip
                    of_panel = (p - left) * most * tile_size
                    part = _Part(top, end, p == left, in_place, n, place, k, terms, of_panel)
                    if narrow:
                        narrow_panel(
                            source, b, panel, out, scratch, part, blocks, where, activation
                        )
                    else:
                        wide_panel(source, b, panel, out, scratch, part, blocks, where, activation)

    return product
