"""Images and filters as words of two bfloat16, for a direct convolution of half as many channels.

Channels 2c and 2c + 1 share word c. So the words of images (N, H, W, C) are images of C/2 channels,
and those of filters (F, C, cells) filters of as many: the kernels that copy and pack them move
words as they move numbers. (See `pellucid.kernels.simd.words`.)

The gradient of filters is a sum over windows: there, windows of two rows share a word. The word of
a number of dz has the one below it, and that of a number of the image the one that a window one row
further down sees in its place.

All arrays are flat, float32, C-contiguous, allocated by the engine. A task is a part of the words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    interleave_lanes,
    load,
    load_part,
    outer_at,
    outer_pairs_at,
    pairs,
    row,
    rows,
    store,
    store_part,
    where_above_zero,
    zeros,
)
from .layout import GatedGradient

__all__ = ["ADD_AT", "pair_lines", "pair_numbers", "pair_rows", "pair_with_later"]


# Not the words of the vocabulary: the cache knows a kernel by the functions that it calls.
@inlined
def _add_numbers(t: Any, a: Array, i: int, at: Array, k: int, b: Array, j: int) -> Any:
    """Return ``t[r,:] + a[i + at[k + r]] · b[j : j + C·LANES]``."""
    return outer_at(t, a, i, at, k, b, j)


@inlined
def _add_pairs(t: Any, a: Array, i: int, at: Array, k: int, b: Array, j: int) -> Any:
    """Return the same of words of two numbers."""
    return outer_pairs_at(t, a, i, at, k, b, j)


ADD_AT = {"float32": _add_numbers, "bf16": _add_pairs}


@kernel
def pair_numbers(queue: Array, source: GatedGradient, count: int, words: Array, tasks: int) -> None:
    """Write the words of ``count`` numbers, gated, an even number."""
    numbers, gate, gated = source.numbers, source.gate, source.gated
    blocks = count // (2 * LANES)
    for task in share(queue):
        for k in range(task * blocks // tasks, (task + 1) * blocks // tasks):
            i = 2 * k * LANES
            t, u = load(1, 1, numbers, i, 0, 0), load(1, 1, numbers, i + LANES, 0, 0)
            if gated:
                t = where_above_zero(t, load(1, 1, gate, i, 0, 0), np.float32(0))
                u = where_above_zero(u, load(1, 1, gate, i + LANES, 0, 0), np.float32(0))
            store(pairs(t, u), words, k * LANES, 0)
        i = 2 * blocks * LANES
        if task == 0 and i < count:
            left = count - i
            some, more = min(LANES, left), max(0, left - LANES)
            t, u = load_part(numbers, i, some), load_part(numbers, i + LANES, more)
            if gated:
                t = where_above_zero(t, load_part(gate, i, some), np.float32(0))
                u = where_above_zero(u, load_part(gate, i + LANES, more), np.float32(0))
            store_part(pairs(t, u), words, blocks * LANES, left // 2)


@kernel
def pair_rows(queue: Array, w: Array, length: int, words: Array, tasks: int) -> None:
    """Write words of the matrix w (rows, length): rows 2k and 2k + 1 share those of row k."""
    count = w.size // (2 * length)
    for task in share(queue):
        for k in range(task * count // tasks, (task + 1) * count // tasks):
            for v in range(0, length, LANES):
                some, i = min(LANES, length - v), 2 * k * length + v
                u = _lane_by_lane(load_part(w, i, some), load_part(w, i + length, some))
                store_part(u, words, k * length + v, some)


@kernel
def pair_lines(a: Array, lines: int, length: int) -> None:
    """Replace lines 2k and 2k + 1 by their words, in line k; an odd last line is paired with 0.

    The ``length`` of a line is a multiple of `LANES`.
    """
    for k in range((lines + 1) // 2):
        for i in range(2 * k * length, (2 * k + 1) * length, LANES):
            below = load(1, 1, a, i + length, 0, 0) if 2 * k + 1 < lines else zeros(1, 1)
            store(_lane_by_lane(load(1, 1, a, i, 0, 0), below), a, i - k * length, 0)


@kernel
def pair_with_later(a: Array, size: int, distance: int, end: int) -> None:
    """Replace each number by the word of it and of the one a ``distance`` further on.

    That is 0 from ``end`` on.
    """
    for i in range(0, size, LANES):
        later = load_part(a, i + distance, max(0, end - distance - i))
        store_part(_lane_by_lane(load_part(a, i, size - i), later), a, i, size - i)


@inlined
def _lane_by_lane(t: Any, u: Any) -> Any:
    """Return the words of one vector: word l has the numbers in lane l of ``t`` and ``u``."""
    both = interleave_lanes(rows((t, u)))
    return pairs(row(both, 0), row(both, 1))
