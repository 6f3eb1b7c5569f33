"""Max pooling: the twin of `pellucid.ops.max_pool2d`, to the bit.

Images are channels-last, (N, H, W, C), float32, C-contiguous, allocated by the caller. A task is a
band of ``per`` rows of the result, counted through all images, and writes to these rows only.
Backward gathers instead of scattering: for each cell it asks which windows read it, so that every
cell is written once, and its sum has one order. `pellucid.kernels.pooling` says more.

``argmax`` is flat, with the number u·FW + v of each window's largest cell: bytes if a window has at
most 256 cells, else float32, which is exact up to 2²⁴. Equal numbers: the first. A NaN counts as
the largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..typing import Array
from .jit import LANES, inlined, kernel
from .pool.threads import share
from .pooling import TOGETHER, WIDE, Taps, fetch_ahead, together
from .simd import (
    add_where_equal,
    keep_larger,
    larger,
    load_first,
    store_first,
    where_above_zero,
    zeros,
)

__all__ = ["backward", "forward"]

ONE = np.float32(1)


@kernel
def forward(queue: Array, x: Array, y: Array, argmax: Array, taps: Taps, per: int) -> None:
    """Write the largest cell of each window, and which one it was, unless ``argmax`` is empty."""
    rows, columns, fw, _, new = taps
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    arrays = x.reshape(x.size), y.reshape(y.size), argmax
    steps = rows.place * w * c, columns.place * c, (new, c), np.float32(fw)
    many = together(c)
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            u, top, us = rows.table[i, 0], rows.table[i, 1], rows.table[i, 2]
            for j in range(ow):
                v, left, vs = columns.table[j, 0], columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * h + top) * w + left) * c, (row * ow + j) * c
                cells = np.float32(u * fw + v), us, vs
                if argmax.size == 0:
                    _largest(TOGETHER, WIDE, (0, many), arrays, first, to, cells, steps)
                    _largest(1, min(c, LANES), (many, c), arrays, first, to, cells, steps)
                else:
                    _keep_largest(TOGETHER, WIDE, (0, many), arrays, first, to, cells, steps)
                    _keep_largest(1, min(c, LANES), (many, c), arrays, first, to, cells, steps)


@inlined
def _keep_largest(
    vectors: int, count: int, channels: Any, arrays: Any, first: int, to: int, cells: Any,
    steps: Any,
) -> None:  # fmt: skip
    """Write the maxima of some channels of one window and their numbers, ``count`` at a time."""
    (x, y, argmax), (number, us, vs), (down, across, new, fw) = arrays, cells, steps
    begin, end = channels
    while begin < end:  # a range would divide
        k = min(begin, end - count)
        at, numbered = first + k, number
        m, nothing = load_first(vectors, x, at, count), zeros(1, vectors)
        a = where_above_zero(nothing, nothing, number)  # the first cell's everywhere
        for _ in range(us):
            cell, z = numbered, at
            fetch_ahead(vectors, x, at, new)
            for _ in range(vs):
                m, a = keep_larger(m, a, load_first(vectors, x, z, count), cell)
                cell += ONE
                z += across
            numbered += fw
            at += down
        store_first(m, y, to + k, 0, count)
        store_first(a, argmax, to + k, 0, count)
        begin += count


@inlined
def _largest(
    vectors: int, count: int, channels: Any, arrays: Any, first: int, to: int, cells: Any,
    steps: Any,
) -> None:  # fmt: skip
    """Write the maxima of some channels of one window, ``count`` at a time."""
    (x, y, _), (_, us, vs), (down, across, new, _) = arrays, cells, steps
    begin, end = channels
    while begin < end:  # a range would divide
        k = min(begin, end - count)
        at = first + k
        m = load_first(vectors, x, at, count)
        for _ in range(us):
            z = at
            fetch_ahead(vectors, x, at, new)
            for _ in range(vs):
                m = larger(m, load_first(vectors, x, z, count))
                z += across
            at += down
        store_first(m, y, to + k, 0, count)
        begin += count


@kernel
def backward(queue: Array, dy: Array, argmax: Array, dx: Array, taps: Taps, per: int) -> None:
    """Write to each cell of ``dx`` the sum of ``dy`` over the windows whose argmax it is."""
    rows, columns, fw, _, _ = taps
    (_, oh, ow, _), (images, h, w, c) = dy.shape, dx.shape
    arrays = dy.reshape(dy.size), argmax, dx.reshape(dx.size)
    steps = rows.place * ow * c, columns.place * c, rows.cell * fw, columns.cell
    many = together(c)
    for task in share(queue):
        for row in range(task * per, min(images * h, (task + 1) * per)):
            n, i = row // h, row % h
            u, top, us = rows.table[i, 0], rows.table[i, 1], rows.table[i, 2]
            for j in range(w):
                v, left, vs = columns.table[j, 0], columns.table[j, 1], columns.table[j, 2]
                first, to = ((n * oh + top) * ow + left) * c, (row * w + j) * c
                cells = u * fw + v, us, vs
                _gather(TOGETHER, WIDE, (0, many), arrays, first, to, cells, steps)
                _gather(1, min(c, LANES), (many, c), arrays, first, to, cells, steps)


@inlined
def _gather(
    vectors: int, count: int, channels: Any, arrays: Any, first: int, to: int, cells: Any,
    steps: Any,
) -> None:  # fmt: skip
    """Write the sums of some channels of one cell, ``count`` at a time."""
    (dy, argmax, dx), (number, us, vs), (down, across, by_row, by_column) = arrays, cells, steps
    begin, end = channels
    while begin < end:  # a range would divide
        k = min(begin, end - count)
        at, numbered, t = first + k, number, zeros(1, vectors)
        for _ in range(us):
            cell, z = numbered, at
            for _ in range(vs):
                t = add_where_equal(t, dy, z, argmax, z, cell, count)
                cell += by_column
                z += across
            numbered += by_row
            at += down
        store_first(t, dx, to + k, 0, count)
        begin += count
