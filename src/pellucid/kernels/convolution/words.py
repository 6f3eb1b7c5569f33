"""Images and filters as words of two bfloat16, for a direct convolution of half as many channels.

Channels 2c and 2c + 1 share word c. So the words of images (N, H, W, C) are images of C/2 channels,
and those of filters (F, C, cells) filters of as many: the kernels that copy and pack them move
words as they move numbers. (See `pellucid.kernels.simd.words`.)

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
)
from .layout import GatedGradient

__all__ = ["ADD_AT", "pair_numbers", "pair_rows"]


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
                both = interleave_lanes(
                    rows((load_part(w, i, some), load_part(w, i + length, some)))
                )
                store_part(pairs(row(both, 0), row(both, 1)), words, k * length + v, some)
