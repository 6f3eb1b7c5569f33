"""Average and Lp pooling: the twins of `pellucid.ops.pooling`, to 1e-6.

Images are channels-last, (N, H, W, C), float32, C-contiguous, allocated by the engine. A task is a
band of rows of the result, counted through all images. Backward gathers instead of scattering: for
each cell it asks which windows read it. So a task writes to its own rows only, every cell is
written once, and its sum has one order. In both directions a row of the result meets a regular
series of rows, and a column a regular series of columns: the *taps* of each axis.

A window's cells are read `TOGETHER` vectors of channels at a time, so that the loops over the
cells, which take longer than a load, serve several loads. (Powers work on flat arrays, in the
blocks of `pellucid.kernels.blocks`; max pooling is in `pellucid.kernels.max_pooling`.)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..shapes import Windows
from ..typing import Array
from .blocks import part, pieces
from .jit import LANES, inlined, kernel
from .pool.threads import share
from .simd import (
    NEAREST,
    load,
    load_first,
    load_part,
    load_within,
    plus,
    prefetch_row,
    prefetch_tile,
    row_sum,
    store,
    store_first,
    store_part,
    times,
    zeros,
)

__all__ = [
    "PART",
    "TOGETHER",
    "WIDE",
    "AxisTaps",
    "Taps",
    "band",
    "fetch_ahead",
    "powers",
    "readers",
    "reads",
    "sums",
    "times_powers",
    "together",
    "whole_sums",
]

GRAIN = 2**16  # numbers that a task reads: some 5 µs
TOGETHER = 4  # vectors of channels: with as many of argmax, half of AVX2's registers
WIDE = TOGETHER * LANES
PART = 256  # channels of whole images
AHEAD = 1024  # numbers: some pixels, which arrive while the windows before them are computed
PIXELS = 8  # whose channels are added together, if a vector holds all of them
FEW = (1.0, 2.0, 3.0, 4.0)  # powers that are fastest by multiplication


class AxisTaps(NamedTuple):
    """Along one axis, what each row (or column) of the result meets.

    Attributes
    ----------
    table : int64 array (rows, 3)
        The first cell of a window; the row where it is met; the number of such cells.
    cell, place : int
        The steps from each of them to the next one, and from its row to the next one's.
    """

    table: Array
    cell: int
    place: int


class Taps(NamedTuple):
    """What each row and each column of the result meets.

    Attributes
    ----------
    rows, columns : AxisTaps
    width : int
        The columns of a window.
    most : int
        The largest number of cells that one number of the result meets, at least 1.
    new : int
        The columns that each column of the result is the first one to meet.
    """

    rows: AxisTaps
    columns: AxisTaps
    width: int
    most: int
    new: int


def reads(windows: Windows) -> Taps:
    """Return the rows and columns of the image that each window reads, without the padding."""
    new = min(windows.stride[1], windows.window[1])
    return _both(_axis_reads(windows, 0), _axis_reads(windows, 1), windows, new)


def readers(windows: Windows) -> Taps:
    """Return the rows and columns of windows that read each cell of the image."""
    return _both(_axis_readers(windows, 0), _axis_readers(windows, 1), windows, 1)


def band(numbers: int) -> int:
    """Return how many rows of the result make a task, if each row takes ``numbers`` numbers."""
    return max(1, GRAIN // numbers)


@inlined
def together(c: int) -> int:
    """Return how many of ``c`` channels are read `TOGETHER`; the others, one vector at a time.

    The last tile of vectors overlaps the one before it if that saves two single vectors.
    """
    rest = c % WIDE
    return c if c > WIDE and rest > 2 * LANES else c - rest


@inlined
def fetch_ahead(vectors: int, x: Array, at: int, new: Any) -> None:
    """Fetch the new pixels that windows further on will read in this row.

    The processor itself does not foresee them, because windows jump from row to row: from the L3
    cache, that took twice as long.
    """
    columns, c = new
    at += AHEAD
    for _ in range(columns):
        prefetch_row(vectors, x, at)
        at += c


@kernel
def sums(queue: Array, x: Array, y: Array, taps: Taps, left: Array, right: Array, per: int) -> None:
    """Write ``y[i,j] = left[i] · right[j] · Σ x`` over the taps of i and j.

    That is average pooling if the taps are what each window reads, and its gradient if they are the
    readers of each cell.
    """
    rows, columns, _, _, new = taps
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    arrays, many = (x.reshape(x.size), y.reshape(y.size)), together(c)
    steps = rows.place * w * c, columns.place * c, (new, c)
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            top, us = rows.table[i, 1], rows.table[i, 2]
            for j in range(ow):
                first_column, vs = columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * h + top) * w + first_column) * c, (row * ow + j) * c
                cells = us, vs, left[i] * right[j]
                _sum(TOGETHER, WIDE, (0, many), arrays, first, to, cells, steps)
                _sum(1, min(c, LANES), (many, c), arrays, first, to, cells, steps)


@inlined
def _sum(
    vectors: int, count: int, channels: Any, arrays: Any, first: int, to: int, cells: Any,
    steps: Any,
) -> None:  # fmt: skip
    """Write the sums of some channels of one window, ``count`` at a time."""
    (x, y), (us, vs, factor), (down, across, new) = arrays, cells, steps
    begin, end = channels
    while begin < end:  # a range would divide
        k = min(begin, end - count)
        at, t = first + k, zeros(1, vectors)
        for _ in range(us):
            z, s = at, zeros(1, vectors)
            fetch_ahead(vectors, x, at, new)
            for _ in range(vs):
                s = plus(s, load_first(vectors, x, z, count))
                z += across
            t = plus(t, s)  # a sum of sums: an image's rounding errors stay small
            at += down
        store_first(times(t, factor), y, to + k, 0, count)
        begin += count


@kernel
def whole_sums(queue: Array, x: Array, y: Array, factor: float, parts: int) -> None:
    """Write ``y = factor · Σ x`` over each whole image; a task is one of its ``parts``.

    A part has `PART` channels, which are added row by row, so that each row is in the nearest cache
    when the next channels of its pixels are read: a window of `sums` would read the whole image
    once for every few channels. The next row is fetched ahead. In both tiles there are eight sums,
    as many as hide the time that an addition takes.
    """
    (_, h, w, c), share_of = x.shape, np.float32(factor)
    xs, ys = x.reshape(x.size), y.reshape(y.size)
    for task in share(queue):
        n, first = task // parts, task % parts * PART
        end, to = min(c, first + PART), n * c
        wide = first + (end - first) // WIDE * WIDE
        for k in range(first, end):
            ys[to + k] = 0
        for i in range(h):
            at = (n * h + i) * w * c
            for k in range(first, wide, WIDE):
                t = zeros(2, TOGETHER)
                for j in range(0, w - 1, 2):
                    prefetch_tile(NEAREST, 2, TOGETHER, xs, at + (j + w) * c + k, c, LANES)
                    t = plus(t, load(2, TOGETHER, xs, at + j * c + k, c, LANES))
                s = row_sum(t)
                if w % 2 == 1:
                    s = plus(s, load(1, TOGETHER, xs, at + (w - 1) * c + k, 0, LANES))
                store(plus(load(1, TOGETHER, ys, to + k, 0, LANES), s), ys, to + k, 0)
            for k in range(wide, end, LANES):
                count = min(LANES, end - k)
                u = zeros(PIXELS, 1)
                for j in range(0, w, PIXELS):
                    prefetch_tile(NEAREST, PIXELS, 1, xs, at + (j + w) * c + k, c, 0)
                    u = plus(u, load_within(PIXELS, 1, xs, at + j * c + k, c, 0, w - j, 1, count))
                r = plus(load_part(ys, to + k, count), row_sum(u))
                store_part(r, ys, to + k, count)
        for k in range(first, end):
            ys[to + k] *= share_of


@kernel
def powers(queue: Array, x: Array, y: Array, p: float) -> None:
    """Write ``|x|^p``."""
    power = np.float32(p)
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            if p in FEW:
                for i in range(len(xs)):
                    ys[i] = abs(xs[i])
                _times_again(xs, ys, p - 1)
            elif p == 0.5:
                for i in range(len(xs)):
                    ys[i] = np.sqrt(abs(xs[i]))
            else:
                for i in range(len(xs)):
                    ys[i] = abs(xs[i]) ** power


@kernel
def times_powers(queue: Array, a: Array, x: Array, y: Array, p: float) -> None:
    """Write ``a · sign(x) · |x|^p``, and 0 where x is 0."""
    power, zero = np.float32(p), np.float32(0)
    for block in share(queue):
        for piece in pieces(block, a):
            scales, xs, ys = part(a, piece), part(x, piece), part(y, piece)
            if p in FEW:
                for i in range(len(xs)):
                    ys[i] = scales[i] * xs[i]
                _times_again(xs, ys, p - 1)
            elif p == -1:
                for i in range(len(xs)):
                    ys[i] = zero if xs[i] == 0 else scales[i] / xs[i]
            else:
                for i in range(len(xs)):
                    z = scales[i] * np.sign(xs[i]) * abs(xs[i]) ** power
                    ys[i] = zero if xs[i] == 0 else z


@kernel
def _times_again(x: Array, y: Array, times: float) -> None:
    """Multiply ``y`` by ``|x|`` as many ``times``: much faster than any power."""
    for _ in range(int(times)):
        for i in range(len(x)):
            y[i] *= abs(x[i])


def _both(rows: AxisTaps, columns: AxisTaps, windows: Windows, new: int) -> Taps:
    most = int(rows.table[:, 2].max()) * int(columns.table[:, 2].max())
    return Taps(rows, columns, windows.window[1], max(1, most), new)


def _axis_reads(windows: Windows, axis: int) -> AxisTaps:
    o, u = np.ogrid[: windows.output[axis], : windows.window[axis]]
    dilation = windows.dilation[axis]
    row = windows.stride[axis] * o + dilation * u - windows.padding[axis][0]
    return _taps(row, (row >= 0) & (row < windows.input[axis]), 1, dilation)


def _axis_readers(windows: Windows, axis: int) -> AxisTaps:
    row, u = np.ogrid[: windows.input[axis], : windows.window[axis]]
    stride, dilation = windows.stride[axis], windows.dilation[axis]
    o, rest = np.divmod(row + windows.padding[axis][0] - dilation * u, stride)
    common = math.gcd(stride, dilation)
    inside = (rest == 0) & (o >= 0) & (o < windows.output[axis])
    return _taps(o, inside, stride // common, -dilation // common)


def _taps(place: Array, inside: Array, cell: int, step: int) -> AxisTaps:
    first = inside.argmax(axis=1)
    table = (first, place[np.arange(len(first)), first], inside.sum(axis=1))
    return AxisTaps(np.stack(table, axis=1).astype(np.int64), cell, step)
