"""The transpose of each image's matrix: pixels and channels change places.

    y[n, c, r] = x[n, r, c]

Flat float32 arrays, C-contiguous, allocated by the caller. A task is a part of one image: ``per``
columns, or rows if there are more of these. It writes to what belongs to them only. A square of
lanes is turned in registers; 2 to 4 rows (the colours of a picture) are interleaved instead, or as
many columns taken apart.
"""

from __future__ import annotations

from ..typing import Array
from .jit import LANES, inlined, kernel
from .pool.threads import share
from .simd import (
    interleave_lanes,
    load,
    load_within,
    separate_lanes,
    store,
    store_within,
    transpose_lanes,
)

__all__ = ["part_length", "transpose"]

NUMBERS = 2**14  # of a task: some 5 µs


def part_length(rows: int, columns: int) -> int:
    """Return how many columns, or rows if there are more of these, a task takes."""
    return max(1, NUMBERS // min(rows, columns) // LANES) * LANES


@kernel
def transpose(queue: Array, x: Array, y: Array, rows: int, columns: int, per: int) -> None:
    """Transpose the matrix ``x`` (rows, columns) of each image into ``y``."""
    parts = -(-max(rows, columns) // per)
    for task in share(queue):
        i, first = task // parts * rows * columns, task % parts * per
        if columns >= rows:
            last = min(columns, first + per)
            whole = 0
            if 2 <= rows <= 4:
                whole = (last - first) // LANES * LANES
                _interleave(x, i + first, y, i + first * rows, rows, columns, whole)
            _turn(x, y, i, (0, rows, rows), (first + whole, last, columns))
        else:
            last = min(rows, first + per)
            whole = 0
            if 2 <= columns <= 4:
                whole = (last - first) // LANES * LANES
                _separate(x, i + first * columns, y, i + first, rows, columns, whole)
            _turn(x, y, i, (first + whole, last, rows), (0, columns, columns))


@kernel
def _interleave(x: Array, i: int, y: Array, j: int, rows: int, columns: int, count: int) -> None:
    """Transpose ``count`` columns of 2 to 4 rows."""
    for k in range(0, count, LANES):
        at, to = i + k, j + k * rows
        if rows == 2:
            store(interleave_lanes(load(2, 1, x, at, columns, 0)), y, to, LANES)
        elif rows == 3:
            store(interleave_lanes(load(3, 1, x, at, columns, 0)), y, to, LANES)
        else:
            store(interleave_lanes(load(4, 1, x, at, columns, 0)), y, to, LANES)


@kernel
def _separate(x: Array, i: int, y: Array, j: int, rows: int, columns: int, count: int) -> None:
    """Transpose ``count`` rows of 2 to 4 columns."""
    for k in range(0, count, LANES):
        at, to = i + k * columns, j + k
        if columns == 2:
            store(separate_lanes(load(2, 1, x, at, LANES, 0)), y, to, rows)
        elif columns == 3:
            store(separate_lanes(load(3, 1, x, at, LANES, 0)), y, to, rows)
        else:
            store(separate_lanes(load(4, 1, x, at, LANES, 0)), y, to, rows)


@inlined
def _turn(
    x: Array, y: Array, i: int, of_rows: tuple[int, int, int], of_columns: tuple[int, int, int]
) -> None:
    """Transpose a part of the matrix at ``i``: from the first to the last of all rows, columns."""
    (top, bottom, rows), (left, right, columns) = of_rows, of_columns
    for r in range(top, bottom, LANES):
        for c in range(left, right, LANES):
            at, to = i + r * columns + c, i + c * rows + r
            if bottom - r >= LANES and right - c >= LANES:
                t = load(LANES, 1, x, at, columns, 0)
                store(transpose_lanes(t), y, to, rows)
            else:
                t = load_within(LANES, 1, x, at, columns, 0, bottom - r, 1, right - c)
                store_within(transpose_lanes(t), y, to, rows, 0, right - c, 1, bottom - r)
