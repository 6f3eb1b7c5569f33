"""The factors of a matrix gradient, packed: rows of x and of dz, which the sums run along.

x is packed into panels (see `pellucid.kernels.gemm.packing`), dz into tiles: of `HEIGHT` filters
each, a row every `ROW` words, so that all that a tile of sums reads follows each other.

A word of either has one row's number, or those of rows that follow each other: rows 2r and 2r + 1
of a chunk share word r, and if their number is odd, the last word has a zero in both factors.

All arrays are flat, float32, C-contiguous, allocated by the engine.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.layout import LINE, GatedGradient
from ..jit import LANES, inlined, kernel
from ..simd import (
    add_in_order,
    load,
    load_part,
    prefetch_row,
    store,
    store_part,
    where_above_zero,
    zeros,
)
from .packing import HEIGHT, WIDTH
from .pairs import beside
from .precision import PRECISIONS
from .rows import Pixels, gated_part, pixel

__all__ = ["ROW", "Ahead", "Block", "Cut", "copy_gradient", "fetch", "pack_panels", "tile_pitch"]

ACROSS = -(-HEIGHT // LANES)  # vectors of a tile's numbers of one row of dz
ROW = ACROSS * LANES  # their numbers: with 16 lanes a cache line
BESIDE = 4  # tiles that are copied side by side


class Cut(NamedTuple):
    """How the gradient (filters, channels) is cut into blocks, and the rows into what is packed."""

    filters: int
    channels: int
    high: int  # tiles of filters of a block
    wide: int  # panels of channels
    deep: int  # words that are packed together
    per_image: int  # rows
    groups: int  # of chunks, each of which is summed up by tasks of its own


class Block(NamedTuple):
    """A task's part of the gradient: its first filter and channel, and how many it has."""

    f: int
    k: int
    filters: int
    channels: int


class Ahead(NamedTuple):
    """Which rows come next, and where they come from."""

    row: int
    end: int
    x: Array
    dy: GatedGradient


@inlined
def tile_pitch(cut: Cut) -> int:
    """Return how many numbers a packed tile of dz takes, with a row to spare."""
    return (cut.deep + 1) * ROW


@cache
def copy_gradient(precision: str) -> Any:
    """Return what copies rows of dz."""
    per_word = PRECISIONS[precision].per_word

    @kernel
    def copy(
        dy: GatedGradient, m: int, end: int, block: Block, cut: Cut, near: Array, bias: Array
    ) -> None:
        """Copy the gated dz of rows ``m`` to ``end`` to tiles; add it to ``bias``, if any."""
        numbers, gate, gated = dy.numbers, dy.gate, dy.gated
        count, pitch, tiles = block.filters, tile_pitch(cut), -(-block.filters // HEIGHT)
        first, whole = block.f, 0
        if per_word == 1:  # tiles side by side; a vector of the last one may reach beyond it
            there = min(count, cut.filters - first - ROW + HEIGHT)
            whole = max(0, there // HEIGHT // BESIDE * BESIDE)
        for tile in range(0, whole, BESIDE):
            total = zeros(BESIDE, ACROSS)
            for r in range(m, end):
                begin = r * cut.filters + first + tile * HEIGHT
                u = load(BESIDE, ACROSS, numbers, begin, HEIGHT, LANES)
                if gated:  # not by a function: see `copy_rows`
                    other = load(BESIDE, ACROSS, gate, begin, HEIGHT, LANES)
                    u = where_above_zero(u, other, np.float32(0))
                total = add_in_order(total, u)
                store(u, near, tile * pitch + (r - m) * ROW, pitch)
            if len(bias):
                to = tile * pitch + (end - m) * ROW
                store(total, near, to, pitch)
                for k in range(BESIDE * HEIGHT):
                    bias[tile * HEIGHT + k] += near[to + k // HEIGHT * pitch + k % HEIGHT]
        for tile in range(whole, tiles):
            for v in range(0, HEIGHT, LANES):
                some = max(0, min(LANES, HEIGHT - v, count - tile * HEIGHT - v))
                total, to = zeros(1, 1), tile * pitch + v
                for r in range(m, end, per_word):
                    begin = r * cut.filters + first + tile * HEIGHT + v
                    u = gated_part(numbers, gate, gated, begin, some)
                    total = add_in_order(total, u)
                    if per_word > 1:
                        left = some if r + 1 < end else 0
                        second = gated_part(numbers, gate, gated, begin + cut.filters, left)
                        u, total = beside(u, second), add_in_order(total, second)
                    store(u, near, to, 0)
                    to += ROW
                if len(bias):
                    at = tile * HEIGHT + v
                    store_part(load_part(bias, at, some) + total, bias, at, some)

    return copy


@cache
def pack_panels(precision: str) -> Any:
    """Return what packs rows of x."""
    per_word = PRECISIONS[precision].per_word

    @kernel
    def pack(
        x: GatedGradient, m: int, end: int, block: Block, cut: Cut, pixels: Pixels, near: Array
    ) -> None:
        """Write rows ``m`` to ``end`` of x into panels, filled up with zeros."""
        numbers, count = x.numbers, block.channels
        for r in range(m, end, per_word):
            begin, to = pixel(pixels, r) * cut.channels + block.k, (r - m) // per_word * WIDTH
            below = pixel(pixels, min(r + per_word, end) - 1) * cut.channels + block.k
            whole = count - count % LANES if r + per_word <= end else 0
            for v in range(0, whole, LANES):
                u = load(1, 1, numbers, begin + v, 0, 0)
                if per_word > 1:
                    u = beside(u, load(1, 1, numbers, below + v, 0, 0))
                store(u, near, v // WIDTH * cut.deep * WIDTH + v % WIDTH + to, 0)
            for v in range(whole, -(-count // WIDTH) * WIDTH, LANES):
                some = max(0, min(LANES, count - v))
                u = load_part(numbers, begin + v, some)
                if per_word > 1:
                    u = beside(u, load_part(numbers, below + v, (r + 1 < end) * some))
                store(u, near, v // WIDTH * cut.deep * WIDTH + v % WIDTH + to, 0)

    return pack


@inlined
def fetch(ahead: Ahead, row: int, block: Block, cut: Cut, pixels: Pixels) -> None:
    """Fetch a row that is packed next."""
    x, dy, gate = ahead.x, ahead.dy.numbers, ahead.dy.gate
    begin = pixel(pixels, row) * cut.channels + block.k
    for k in range(begin, begin + block.channels, LINE):
        prefetch_row(1, x, k)
    begin = row * cut.filters + block.f
    for k in range(begin, begin + block.filters, LINE):
        prefetch_row(1, dy, k)
        if ahead.dy.gated:
            prefetch_row(1, gate, k)
