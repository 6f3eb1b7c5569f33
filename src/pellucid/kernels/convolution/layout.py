"""Copies of images as the convolution kernels want them: padded, gated, scattered, transposed.

An image that needs padding is copied into a *padded* image, whose frame is zero. A gradient is
copied likewise where a stride spreads it out, where a max pooling sends each number to the cell
that was the largest, or where a ReLU masks it.

All arrays are flat, float32 (``argmax``: uint8), C-contiguous.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..simd import (
    load_bytes,
    load_part,
    load_within,
    store_part,
    store_within,
    transpose_lanes,
    where_above_zero,
    where_equal,
)
from .geometry import Sliding

__all__ = [
    "BYTES",
    "LINE",
    "NOTHING",
    "NO_BYTES",
    "STOPPED",
    "GatedGradient",
    "aligned",
    "crop",
    "lay_out",
    "lay_out_rows",
    "mark_stopped",
    "rows_between",
    "transpose_matrix",
]

LINE = 16  # numbers in a cache line
STOPPED = 255  # in place of the argmax, where a ReLU let nothing through
BYTES = 256  # entries of a table of what an argmax may be
NOTHING = np.zeros(1, dtype=np.float32)
NO_BYTES = np.zeros(1, dtype=np.uint8)


class GatedGradient(NamedTuple):
    """A gradient dy of N images, and what makes the convolution's own gradient dz of it.

    If ``gated``, only those numbers count whose ``gate``, the output of a ReLU, is above zero.
    After a max pooling each number goes to the cell ``argmax`` of its window. Arrays without a
    meaning have one element. Images are passed the same way, ungated.
    """

    numbers: Array
    gate: Array
    argmax: Array
    gated: bool

    @classmethod
    def of(cls, dy: Array, gate: Array | None = None, argmax: Array | None = None) -> GatedGradient:
        """Return C-contiguous arrays of any shape as the kernels take them: flat."""
        return cls(
            dy.reshape(dy.size),
            NOTHING if gate is None else gate.reshape(gate.size),
            NO_BYTES if argmax is None else argmax.reshape(argmax.size),
            gate is not None,
        )

    def part(self, first: int, last: int, n: int) -> GatedGradient:
        """Return the images ``first`` to ``last`` of ``n``."""
        numbers, gate, argmax = (
            a if a.size == 1 else a[first * (a.size // n) : last * (a.size // n)]
            for a in (self.numbers, self.gate, self.argmax)
        )
        return GatedGradient(numbers, gate, argmax, self.gated)


@kernel
def aligned(whole: Array) -> Array:
    """Return ``whole`` from its first cache line on, `LINE` numbers shorter.

    A vector that lies across two cache lines takes twice as long to read.
    """
    return whole[(-whole.ctypes.data // 4) % LINE :][: len(whole) - LINE]


@kernel
def rows_between(s: Sliding, first: int, last: int) -> tuple[int, int]:
    """Return which rows of the image (begin, end) lie in the padded rows ``first`` to ``last``."""
    side = s.cell * s.spread_h
    begin, end = (first - s.top) // side, (last - s.top) // side + 1
    return max(0, begin), min(s.h, end)


@kernel
def lay_out(
    source: GatedGradient, n: int, padded: Array, s: Sliding, low: int, high: int, top: int
) -> None:
    """Write rows ``low`` to ``high`` of image ``n`` into the padded one; its frame stays as it is.

    Row 0 of the image is row ``top`` of the padded one.
    """
    if s.cell > 1:
        _scatter_to_argmax(source, n, padded, s, low, high, top)
        return
    # Rows without gaps are copied in one run.
    packed = s.spread_w == 1 and s.depth == s.c
    first = max(0, -s.left) if packed else 0
    pixels = 1 if packed else s.w
    run = (min(s.w, s.pitch - s.left) - first) * s.c if packed else s.c
    numbers, gate, gated = source.numbers, source.gate, source.gated
    for i in range(low, high):
        line = i * s.spread_h + top
        if not 0 <= line < s.rows:
            continue
        for j in range(first, first + pixels):
            column = j * s.spread_w + s.left
            if not 0 <= column < s.pitch:
                continue
            begin = ((n * s.h + i) * s.w + j) * s.c
            to = (line * s.pitch + column) * s.depth
            for k in range(0, run, LANES):
                count = min(LANES, run - k)
                t = load_part(numbers, begin + k, count)
                if gated:
                    t = where_above_zero(t, load_part(gate, begin + k, count), np.float32(0))
                store_part(t, padded, to + k, count)


@kernel
def lay_out_rows(
    source: GatedGradient, n: int, padded: Array, s: Sliding, low: int, high: int
) -> None:
    """Write the padded image's rows ``low`` to ``high``, which are the first ones of ``padded``.

    The rows of the frame become zero; its columns stay as they are. The pixels have no gaps.
    """
    line, (begin, end) = s.pitch * s.depth, rows_between(s, low, high - 1)
    end = max(begin, end)
    lay_out(source, n, padded, s, begin, end, s.top - low)
    above = min(max(begin + s.top, low), high)
    padded[: (above - low) * line] = 0
    padded[(max(end + s.top, above) - low) * line : (high - low) * line] = 0


@kernel
def _scatter_to_argmax(
    source: GatedGradient, n: int, padded: Array, s: Sliding, low: int, high: int, top: int
) -> None:
    """Write each number of image ``n`` to the cell ``argmax`` of its window, 0 to the others."""
    numbers, argmax = source.numbers, source.argmax
    for i in range(low * s.cell, high * s.cell):
        line = i * s.spread_h + top
        if not 0 <= line < s.rows:
            continue
        for j in range(s.w * s.cell):
            column = j * s.spread_w + s.left
            if not 0 <= column < s.pitch:
                continue
            begin = ((n * s.h + i // s.cell) * s.w + j // s.cell) * s.c
            to, cell = (line * s.pitch + column) * s.depth, i % s.cell * s.cell + j % s.cell
            for k in range(0, s.c, LANES):
                count = min(LANES, s.c - k)
                t, u = load_part(numbers, begin + k, count), load_bytes(argmax, begin + k, count)
                store_part(where_equal(t, u, np.float32(cell)), padded, to + k, count)


@inlined
def mark_stopped(argmax: Any, largest: Any, relu: bool) -> Any:
    """Return ``argmax``, with `STOPPED` where a ReLU stops the ``largest`` number."""
    if relu:
        argmax = where_above_zero(argmax, largest, np.float32(STOPPED))
    return argmax


@kernel
def transpose_matrix(
    x: Array, i: int, rows: int, columns: int, y: Array, j: int, pitch: int
) -> None:
    """Write the matrix ``x[i:]`` (rows, columns) to ``y[j:]`` (columns, rows).

    There, a row begins every ``pitch`` numbers.
    """
    for r in range(0, rows, LANES):
        for c in range(0, columns, LANES):
            begin, to = i + r * columns + c, j + c * pitch + r
            t = load_within(LANES, 1, x, begin, columns, 0, rows - r, 1, columns - c)
            store_within(transpose_lanes(t), y, to, pitch, 0, columns - c, 1, rows - r)


@kernel
def crop(padded: Array, n: int, x: Array, s: Sliding) -> None:
    """Write image ``n`` of ``x``: the padded image without its frame."""
    for i in range(s.h):
        to, begin = (n * s.h + i) * s.w * s.c, ((i + s.top) * s.pitch + s.left) * s.depth
        for k in range(0, s.w * s.c, LANES):
            count = min(LANES, s.w * s.c - k)
            store_part(load_part(padded, begin + k, count), x, to + k, count)
