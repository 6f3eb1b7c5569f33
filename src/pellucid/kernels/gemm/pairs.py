"""The factors of a matrix product as words of two bfloat16: rows copied, matrices packed.

Numbers 2k and 2k + 1 of a row share word k, and so do rows 2k and 2k + 1 of the other factor. If
their number is odd, the last word has a zero in both. (See `pellucid.kernels.simd.words`.)

All arrays are flat, float32, C-contiguous, allocated by the engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...typing import Array
from ..convolution.layout import GatedGradient
from ..jit import LANES, inlined, kernel
from ..simd import (
    interleave_lanes,
    load,
    load_within,
    pairs,
    row,
    rows,
    store,
    store_within,
    transpose_lanes,
    where_above_zero,
)
from .packing import TRANSPOSED, WIDTH, some
from .rows import Pixels, gated_part, pixel

__all__ = ["beside", "copy_pairs", "pack_pairs"]


@kernel
def copy_pairs(
    source: GatedGradient, s: Pixels, rows: tuple[int, int], depth: int, block: tuple[int, int],
    near: Array, pitch: int,
) -> None:  # fmt: skip
    """Copy a ``block`` (first, count) of the numbers of ``rows`` (first, last), gated."""
    numbers, gate, gated = source.numbers, source.gate, source.gated
    (first, last), (of_block, terms) = rows, block
    whole = terms - terms % (2 * LANES)
    for m in range(first, last):
        begin, to = pixel(s, m) * depth + of_block, (m - first) * pitch
        for k in range(0, whole, 2 * LANES):
            at, after = begin + k, begin + k + LANES
            t, u = load(1, 1, numbers, at, 0, 0), load(1, 1, numbers, after, 0, 0)
            if gated:  # not by a function: see `copy_rows`
                t = where_above_zero(t, load(1, 1, gate, at, 0, 0), np.float32(0))
                u = where_above_zero(u, load(1, 1, gate, after, 0, 0), np.float32(0))
            store(pairs(t, u), near, to + k // 2, 0)
        if whole < terms:
            at, left = begin + whole, terms - whole
            t = gated_part(numbers, gate, gated, at, min(LANES, left))
            u = gated_part(numbers, gate, gated, at + LANES, max(0, left - LANES))
            store(pairs(t, u), near, to + whole // 2, 0)


@kernel
def pack_pairs(
    w: Array, depth: int, columns: int, block: tuple[int, int, int], packing: int, out: Array
) -> None:
    """Write a block of a panel: its first column, first number of the depth, and their count."""
    n, first, terms = block
    width = LANES if columns - n <= LANES else WIDTH
    if packing == TRANSPOSED:
        _transpose(w, n * depth + first, depth, columns - n, terms, out, width)
        return
    for k in range(0, terms, 2):
        begin, below = (first + k) * columns + n, columns if k + 1 < terms else 0
        for v in range(0, width, LANES):
            count = columns - n - v
            t = some(w, begin + v, count)
            u = some(w, begin + v + below, count if below else 0)
            store(beside(t, u), out, k // 2 * width + v, 0)


@inlined
def beside(t: Any, u: Any) -> Any:
    """Return the words whose first numbers are those of ``t``, and second those of ``u``."""
    both = interleave_lanes(rows((t, u)))
    return pairs(row(both, 0), row(both, 1))


@kernel
def _transpose(x: Array, i: int, pitch: int, rows: int, columns: int, y: Array, width: int) -> None:
    """Write the matrix ``x[i:]`` (rows, columns), a row every ``pitch``, transposed to ``y``.

    There a row of words begins every ``width`` words, the whole vectors that it fills with zeros.
    """
    for r in range(0, width, LANES):
        for c in range(0, columns, 2 * LANES):
            begin, to = i + r * pitch + c, c // 2 * width + r
            if r + LANES <= rows and c + 2 * LANES <= columns:
                t = load(LANES, 1, x, begin, pitch, 0)
                u = load(LANES, 1, x, begin + LANES, pitch, 0)
                store(transpose_lanes(pairs(t, u)), y, to, width)
            else:
                below, left = max(0, rows - r), columns - c
                t = load_within(LANES, 1, x, begin, pitch, 0, below, 1, left)
                u = load_within(LANES, 1, x, begin + LANES, pitch, 0, below, 1, left - LANES)
                words = transpose_lanes(pairs(t, u))
                store_within(words, y, to, width, 0, (left + 1) // 2, 1, LANES)
