"""The second factor of a matrix product as panels, which a tile of sums reads from front to back.

A panel is `WIDTH` columns of the factor (depth, columns): the numbers of row k are its numbers
``k · WIDTH`` to ``(k + 1) · WIDTH``. The panels follow each other. If half of the last one or more
would be empty, it has one vector of columns instead. Columns that do not exist are zeros.

All arrays are flat, float32, C-contiguous, allocated by the engine.
"""

from __future__ import annotations

from typing import Any

from ...typing import Array
from ..jit import LANES, REGISTERS, inlined, kernel
from ..simd import load, load_part, load_within, store, store_within, transpose_lanes

__all__ = [
    "HEIGHT",
    "PACKED",
    "PLAIN",
    "TRANSPOSED",
    "VECTORS",
    "WIDTH",
    "pack_block",
    "packed_columns",
    "some",
]

# The tile of sums: with a row of the panel and one number of x it fills the registers.
HEIGHT, VECTORS = (12, 2) if REGISTERS == 32 else (6, 2)
WIDTH = VECTORS * LANES
# How the matrix (depth, columns) lies in memory: in panels, as it is, or as (columns, depth).
PACKED, PLAIN, TRANSPOSED = range(3)


def packed_columns(columns: int) -> int:
    """Return the number of ``columns`` rounded up to whole panels.

    Examples
    --------
    >>> packed_columns(WIDTH + 1) == WIDTH + LANES
    True
    """
    return -(-columns // LANES) * LANES


@kernel
def pack_block(
    w: Array, depth: int, columns: int, block: tuple[int, int, int], packing: int, out: Array
) -> None:
    """Write a block of a panel: its first column, first number of the depth, and their count."""
    n, first, terms = block
    width = LANES if columns - n <= LANES else WIDTH
    if packing == TRANSPOSED:
        transpose(w, n * depth + first, depth, columns - n, terms, out, width)
        return
    for k in range(terms):
        begin = (first + k) * columns + n
        for v in range(0, width, LANES):
            store(some(w, begin + v, columns - n - v), out, k * width + v, 0)


@inlined
def some(w: Array, i: int, count: int) -> Any:
    """Return a vector of up to ``count`` numbers, and zeros."""
    return load_part(w, i, max(0, min(LANES, count)))


@kernel
def transpose(x: Array, i: int, pitch: int, rows: int, columns: int, y: Array, width: int) -> None:
    """Write the matrix ``x[i:]`` (rows, columns), a row every ``pitch``, transposed to ``y``.

    There a row begins every ``width`` numbers, the whole vectors that it fills with zeros.
    """
    for r in range(0, width, LANES):
        for c in range(0, columns, LANES):
            begin, to = i + r * pitch + c, c * width + r
            if r + LANES <= rows and c + LANES <= columns:
                store(transpose_lanes(load(LANES, 1, x, begin, pitch, 0)), y, to, width)
            else:
                below = max(0, rows - r)
                t = load_within(LANES, 1, x, begin, pitch, 0, below, 1, columns - c)
                store_within(transpose_lanes(t), y, to, width, 0, columns - c, 1, LANES)
