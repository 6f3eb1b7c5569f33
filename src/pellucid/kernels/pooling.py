"""Pooling: the twins of `pellucid.ops.pooling`; maxima to the bit, sums to 1e-6.

Images are channels-last, (N, H, W, C), float32, C-contiguous, allocated by the engine. A task is a
band of rows of the result, counted through all images. Backward gathers instead of scattering: for
each cell it asks which windows read it. So a task writes to its own rows only, every cell is
written once, and its sum has one order. In both directions a row of the result meets a regular
series of rows, and a column a regular series of columns: the *taps* of each axis.

The argmax of a window is the number u·FW + v of its cell, in a byte if there are at most 256 cells,
else in a float32, which is exact up to 2²⁴. (Powers work on flat arrays, in the blocks of
`pellucid.kernels.blocks`. Windows of 2x2 cells have kernels of their own, in `max_pool_2x2`.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..shapes import Windows
from ..typing import Array
from .blocks import part
from .jit import LANES, kernel
from .pool.threads import share
from .simd import (
    keep_larger,
    load_bytes,
    load_part,
    plus,
    store_bytes,
    store_part,
    where_above_zero,
    where_equal,
    zeros,
)

__all__ = [
    "Argmax",
    "AxisTaps",
    "Taps",
    "band",
    "max_backward",
    "max_forward",
    "powers",
    "readers",
    "reads",
    "sums",
    "times_powers",
]

GRAIN = 2**17  # numbers that a task reads: some 20 µs
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
    """

    rows: AxisTaps
    columns: AxisTaps
    width: int
    most: int


class Argmax(NamedTuple):
    """The number of the largest cell of each window, flat, in ``small`` or in ``wide``.

    Attributes
    ----------
    small : uint8 array
    wide : float32 array
    is_small : bool
        Which of the two is used.
    """

    small: Array
    wide: Array
    is_small: bool


def reads(windows: Windows) -> Taps:
    """Return the rows and columns of the image that each window reads, without the padding."""
    return _both(_axis_reads(windows, 0), _axis_reads(windows, 1), windows)


def readers(windows: Windows) -> Taps:
    """Return the rows and columns of windows that read each cell of the image."""
    return _both(_axis_readers(windows, 0), _axis_readers(windows, 1), windows)


def band(numbers: int) -> int:
    """Return how many rows of the result make a task, if each row takes ``numbers`` numbers."""
    return max(1, GRAIN // numbers)


@kernel
def max_forward(queue: Array, x: Array, y: Array, argmax: Argmax, taps: Taps, per: int) -> None:
    """Write the largest cell of each window, the first of equals, and which one it was.

    A NaN counts as the largest.
    """
    rows, columns, fw, _ = taps
    arg, wide, small = argmax
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    xs, ys = x.reshape(x.size), y.reshape(y.size)
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            u, top, us = rows.table[i, 0], rows.table[i, 1], rows.table[i, 2]
            for j in range(ow):
                v, left, vs = columns.table[j, 0], columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * h + top) * w + left) * c, (row * ow + j) * c
                for k in range(0, c, LANES):
                    number, z, count = np.float32(u * fw + v), first + k, c - k
                    m, nothing = load_part(xs, z, count), zeros(1, 1)
                    a = where_above_zero(nothing, nothing, number)  # the first cell's everywhere
                    for _ in range(us):
                        cell, at = number, z
                        for _ in range(vs):
                            m, a = keep_larger(m, a, load_part(xs, at, count), cell)
                            cell += np.float32(1)
                            at += columns.place * c
                        number += np.float32(fw)
                        z += rows.place * w * c
                    store_part(m, ys, to + k, count)
                    if small:
                        store_bytes(a, arg, to + k, 0, count)
                    else:
                        store_part(a, wide, to + k, count)


@kernel
def max_backward(queue: Array, dy: Array, argmax: Argmax, dx: Array, taps: Taps, per: int) -> None:
    """Write to each cell of ``dx`` the sum of ``dy`` over the windows whose argmax it is."""
    rows, columns, fw, _ = taps
    arg, wide, small = argmax
    (_, oh, ow, _), (images, h, w, c) = dy.shape, dx.shape
    dys, dxs = dy.reshape(dy.size), dx.reshape(dx.size)
    for task in share(queue):
        for row in range(task * per, min(images * h, (task + 1) * per)):
            n, i = row // h, row % h
            u, top, us = rows.table[i, 0], rows.table[i, 1], rows.table[i, 2]
            for j in range(w):
                v, left, vs = columns.table[j, 0], columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * oh + top) * ow + left) * c, (row * w + j) * c
                for k in range(0, c, LANES):
                    number, z, count = np.float32(u * fw + v), first + k, c - k
                    t = zeros(1, 1)
                    for _ in range(us):
                        cell, at = number, z
                        for _ in range(vs):
                            a = load_bytes(arg, at, count) if small else load_part(wide, at, count)
                            t = plus(t, where_equal(load_part(dys, at, count), a, cell))
                            cell += np.float32(columns.cell)
                            at += columns.place * c
                        number += np.float32(rows.cell * fw)
                        z += rows.place * ow * c
                    store_part(t, dxs, to + k, count)


@kernel
def sums(queue: Array, x: Array, y: Array, taps: Taps, left: Array, right: Array, per: int) -> None:
    """Write ``y[i,j] = left[i] · right[j] · Σ x`` over the taps of i and j.

    That is average pooling if the taps are what each window reads, and its gradient if they are the
    readers of each cell.
    """
    rows, columns, _, _ = taps
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    xs, ys = x.reshape(x.size), y.reshape(y.size)
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            first_row, us = rows.table[i, 1], rows.table[i, 2]
            for j in range(ow):
                first_column, vs = columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * h + first_row) * w + first_column) * c, (row * ow + j) * c
                for k in range(0, c, LANES):
                    z, count = first + k, c - k
                    t = zeros(1, 1)
                    for _ in range(us):
                        at, s = z, zeros(1, 1)
                        for _ in range(vs):
                            s = plus(s, load_part(xs, at, count))
                            at += columns.place * c
                        t = plus(t, s)  # a sum of sums: an image's rounding errors stay small
                        z += rows.place * w * c
                    store_part(left[i] * right[j] * t, ys, to + k, count)


@kernel
def powers(queue: Array, x: Array, y: Array, p: float) -> None:
    """Write ``|x|^p``."""
    power = np.float32(p)
    for task in share(queue):
        xs, ys = part(x, task), part(y, task)
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
    for task in share(queue):
        scales, xs, ys = part(a, task), part(x, task), part(y, task)
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


def _both(rows: AxisTaps, columns: AxisTaps, windows: Windows) -> Taps:
    most = int(rows.table[:, 2].max()) * int(columns.table[:, 2].max())
    return Taps(rows, columns, windows.window[1], max(1, most))


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
