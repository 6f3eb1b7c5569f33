"""The factors of a matrix gradient, packed: rows of x and of dz, which the sums run along.

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
from ..simd import load, load_part, prefetch_row, store, store_part, where_above_zero
from .packing import HEIGHT, WIDTH
from .pairs import beside
from .precision import PRECISIONS
from .rows import PAD, Pixels, gated_part, pixel

__all__ = ["Ahead", "Block", "Cut", "copy_gradient", "fetch", "pack_panels"]


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


@cache
def copy_gradient(precision: str) -> Any:
    """Return what copies rows of dz."""
    per_word = PRECISIONS[precision].per_word

    @kernel
    def copy(
        dy: GatedGradient, m: int, end: int, block: Block, cut: Cut, near: Array, bias: Array
    ) -> None:
        """Copy the gated dz of rows ``m`` to ``end``, and add them to ``bias``, if it is there."""
        numbers, gate, gated = dy.numbers, dy.gate, dy.gated
        count, pitch, adds = block.filters, cut.high * HEIGHT + PAD, len(bias) > 0
        for r in range(m, end, per_word):
            begin, to = r * cut.filters + block.f, (r - m) // per_word * pitch
            below = begin + cut.filters * (per_word - 1)
            whole = count - count % LANES if r + per_word <= end else 0
            for v in range(0, whole, LANES):
                u = load(1, 1, numbers, begin + v, 0, 0)
                if gated:  # not by a function: see `copy_rows`
                    u = where_above_zero(u, load(1, 1, gate, begin + v, 0, 0), np.float32(0))
                total = u
                if per_word > 1:
                    second = load(1, 1, numbers, below + v, 0, 0)
                    if gated:
                        other = load(1, 1, gate, below + v, 0, 0)
                        second = where_above_zero(second, other, np.float32(0))
                    u, total = beside(u, second), u + second
                store(u, near, to + v, 0)
                if adds:
                    store(load(1, 1, bias, v, 0, 0) + total, bias, v, 0)
            for v in range(whole, count, LANES):
                some = min(LANES, count - v)
                u = total = gated_part(numbers, gate, gated, begin + v, some)
                if per_word > 1:
                    second = gated_part(numbers, gate, gated, below + v, (r + 1 < end) * some)
                    u, total = beside(u, second), u + second
                store(u, near, to + v, 0)
                if adds:
                    store_part(load_part(bias, v, some) + total, bias, v, some)

    return copy


@cache
def pack_panels(precision: str) -> Any:
    """Return what packs rows of x."""
    per_word = PRECISIONS[precision].per_word

    @kernel
    def pack(
        x: GatedGradient, m: int, end: int, block: Block, cut: Cut, pixels: Pixels, near: Array
    ) -> None:
        """Write rows ``m`` to ``end`` of x into panels."""
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
            for v in range(whole, count, LANES):
                some = min(LANES, count - v)
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
