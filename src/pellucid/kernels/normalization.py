"""Batch, group and local response normalisation: twins of `pellucid.ops`, to 1e-5.

Images are channels-last: flat float32 arrays with C numbers a pixel, C-contiguous, allocated by the
engine. A task is a block of whole pixels. Statistics and parameters of the channels come as
*rows* of `period(C)` numbers, the C numbers repeated, so that the inner loops are long even if C is
small: one set of rows for all tasks (batch normalisation), or one for each (group normalisation,
whose tasks are the images).

Sums over the batch are computed for each block, in float64, and the engine adds them up as a tree;
``bounds`` (tasks + 1,) are the limits of the blocks, none of which crosses from one chunk of the
images into another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..typing import Array
from .blocks import fetch_ahead
from .convolution.activation import Activation
from .jit import LANES, inlined, kernel, widest_vectors
from .pool.threads import share
from .simd import inner, load_part, store, store_part, zeros

__all__ = [
    "BATCH_BLOCK",
    "RESPONSE_BLOCK",
    "Response",
    "batch_gradient",
    "batch_gradient_sums",
    "batch_norm",
    "batch_statistics",
    "combine",
    "fold",
    "local_response",
    "local_response_backward",
    "period",
    "response_width",
    "whole_pixels",
]

BATCH_BLOCK = 2**15  # numbers of a task: they stay in the L2 cache for a second pass
RESPONSE_BLOCK = 2**15  # numbers of a task: some 30 µs
ROW = 256  # numbers of a row at least: loops over shorter ones are slow
TOGETHER = 256  # numbers that local response normalisation takes through each of its steps at once


class Response(NamedTuple):
    """The constants of local response normalisation, for ``channels`` and ``size`` neighbours."""

    channels: int
    size: int
    k: float
    alpha: float
    beta: float


def whole_pixels(numbers: int, channels: int) -> int:
    """Return the largest multiple of ``channels`` up to ``numbers``, but at least one pixel."""
    return max(1, numbers // channels) * channels


def period(channels: int) -> int:
    """Return the length of a row: `ROW`, rounded up to a multiple of ``channels``."""
    return -(-ROW // channels) * channels


def response_width(channels: int, n: int) -> int:
    """Return the length of each of a task's five scratch rows in local response normalisation."""
    return whole_pixels(TOGETHER, channels + n - 1) + LANES


@inlined
def four_rows(x: Array, at: int, width: int) -> tuple[Array, Array, Array, Array]:
    """Return rows that follow each other: their sum is added to a total that is written once."""
    return (
        x[at : at + width], x[at + width : at + 2 * width], x[at + 2 * width : at + 3 * width],
        x[at + 3 * width : at + 4 * width],
    )  # fmt: skip


@kernel
@widest_vectors
def batch_statistics(queue: Array, x: Array, scratch: Array, sums: Array, bounds: Array) -> None:
    """Write the mean of each channel over each block, and the sum of squared deviations from it.

    Two passes: the second one subtracts a rounded mean, and also computes its rounding error (Chan,
    Golub & LeVeque 1983, "Algorithms for computing the sample variance", section 3). Four rows are
    added at a time: a load waits for a store before it whose address ends alike, as those of a sum
    in memory do for a part of all that is read.
    """
    c, width = sums.shape[2], scratch.shape[2]
    for task in share(queue):
        block = x[bounds[task] : bounds[task + 1]]
        pixels = len(block) // c
        mean, square = sums[task, 0], sums[task, 1]
        total, around, squares = scratch[task, 0], scratch[task, 1], scratch[task, 2]
        total[:] = 0
        single = len(block) // (4 * width) * (4 * width)
        for at in range(0, single, 4 * width):
            fetch_ahead(x, bounds[task] + at, bounds[task] + at + 4 * width)
            a0, a1, a2, a3 = four_rows(block, at, width)
            for k in range(width):
                total[k] += (a0[k] + a1[k]) + (a2[k] + a3[k])
        for at in range(single, len(block), width):
            a = block[at : at + width]
            for k in range(len(a)):
                total[k] += a[k]
        fold(total, mean)
        for at in range(0, width, c):
            b = around[at : at + c]
            for i in range(c):
                b[i] = mean[i] / pixels
        total[:] = 0
        squares[:] = 0
        for at in range(0, single, 4 * width):
            a0, a1, a2, a3 = four_rows(block, at, width)
            for k in range(width):
                d0, d1 = a0[k] - around[k], a1[k] - around[k]
                d2, d3 = a2[k] - around[k], a3[k] - around[k]
                total[k] += (d0 + d1) + (d2 + d3)
                squares[k] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        for at in range(single, len(block), width):
            a = block[at : at + width]
            for k in range(len(a)):
                d = a[k] - around[k]
                total[k] += d
                squares[k] += d * d
        fold(total, mean)
        fold(squares, square)
        for i in range(c):
            off = mean[i] / pixels
            mean[i] = around[i] + off
            square[i] -= off * off * pixels


@kernel
def combine(sums: Array, numbers: Array, firsts: Array, out: Array) -> None:
    """Combine means and sums of squared deviations (blocks, 2, C) into those of all, ``out[0]``.

    The blocks of a chunk, from ``firsts`` (chunks + 1,) on, are combined in order, and then the
    chunks (chunks, 2, C) as a pairwise tree (Chan, Golub & LeVeque 1979, "Updating formulae and a
    pairwise algorithm for computing sample variances"). ``numbers`` are those in each block, for
    one channel; ``out`` is overwritten by partial results.
    """
    chunks = len(out)
    counts = np.zeros(chunks)
    for chunk in range(chunks):
        out[chunk] = 0
        for block in range(firsts[chunk], firsts[chunk + 1]):
            _take_in(out[chunk], counts[chunk], sums[block], numbers[block])
            counts[chunk] += numbers[block]
    step = 1
    while step < chunks:
        for chunk in range(0, chunks - step, 2 * step):
            _take_in(out[chunk], counts[chunk], out[chunk + step], counts[chunk + step])
            counts[chunk] += counts[chunk + step]
        step *= 2


@kernel
def _take_in(own: Array, n: float, other: Array, m: float) -> None:
    """Combine the mean and the squares of ``m`` numbers with ``own``, those of ``n``."""
    if m == 0:
        return
    if n == 0:
        for i in range(own.shape[1]):
            own[0, i], own[1, i] = other[0, i], other[1, i]
        return
    part = m / (n + m)
    for i in range(own.shape[1]):
        d = other[0, i] - own[0, i]
        own[0, i] += d * part
        own[1, i] += other[1, i]
        own[1, i] += d * d * (n * part)


@kernel
def batch_norm(
    queue: Array, x: Array, y: Array, rows: Array, activation: Activation, per: int
) -> None:
    """Write ``z = (x - own[0]) · own[1] + own[2]``, kept between the activation's bounds."""
    width, low, high = rows.shape[2], np.float32(activation.a), np.float32(activation.b)
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift = own[0], own[1], own[2]
        for at in range(task * per, min(x.size, (task + 1) * per), width):
            end = min(at + width, (task + 1) * per)
            a, b = x[at:end], y[at:end]
            for k in range(len(a)):
                z = (a[k] - around[k]) * scale[k] + shift[k]
                z = low if z < low else z
                b[k] = high if z > high else z


@kernel
@widest_vectors
def batch_gradient_sums(
    queue: Array, dy: Array, x: Array, rows: Array, scratch: Array, sums: Array,
    activation: Activation, bounds: Array,
) -> None:  # fmt: skip
    """Write ``Σ dz`` and ``Σ dz · (x - own[0])`` over each block.

    dz is dy where z of `batch_norm` lies within the activation's bounds, and 0 elsewhere.
    """
    width, low, high = rows.shape[2], np.float32(activation.a), np.float32(activation.b)
    clips = low > -np.inf or high < np.inf
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift = own[0], own[1], own[2]
        total, moment = scratch[task, 0], scratch[task, 1]
        total[:] = 0
        moment[:] = 0
        for at in range(bounds[task], bounds[task + 1], width):
            end = min(at + width, bounds[task + 1])
            fetch_ahead(x, at, end)
            fetch_ahead(dy, at, end)
            a, da = x[at:end], dy[at:end]
            for k in range(len(a)):
                d = a[k] - around[k]
                z = d * scale[k] + shift[k]
                dz = np.float32(0) if clips and not ((z > low) & (z < high)) else da[k]
                total[k] += dz
                moment[k] += dz * d
        fold(total, sums[task, 0])
        fold(moment, sums[task, 1])


@kernel
def batch_gradient(
    queue: Array, dy: Array, x: Array, dx: Array, rows: Array, activation: Activation, fixed: bool,
    per: int,
) -> None:  # fmt: skip
    """Write ``dz · own[1]``; unless the statistics are ``fixed``, ``+ d · own[3] + own[4]``.

    ``dx`` may be ``dy``: then a row at a time waits in the nearest cache, because LLVM vectorises
    no loop that writes to what it reads. What is the same for all numbers is asked outside the
    loops: within them LLVM loads a row for each case.
    """
    width, low, high = rows.shape[2], np.float32(activation.a), np.float32(activation.b)
    zero, every = np.float32(0), low == -np.inf and high == np.inf
    in_place, row = dx.ctypes.data == dy.ctypes.data, np.empty(width, np.float32)
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift, slope, level = own[0], own[1], own[2], own[3], own[4]
        for at in range(task * per, min(x.size, (task + 1) * per), width):
            end = min(at + width, (task + 1) * per)
            fetch_ahead(x, at, end)
            fetch_ahead(dy, at, end)
            a, da = x[at:end], dy[at:end]
            b = row[: len(a)] if in_place else dx[at:end]
            if fixed:
                for k in range(len(a)):
                    z, g = (a[k] - around[k]) * scale[k] + shift[k], da[k]
                    b[k] = scale[k] * (g if every | ((z > low) & (z < high)) else zero)
            else:
                for k in range(len(a)):
                    d, g = a[k] - around[k], da[k]
                    z = d * scale[k] + shift[k]
                    dz = g if every | ((z > low) & (z < high)) else zero
                    b[k] = dz * scale[k] + (d * slope[k] + level[k])
            if in_place:
                for k in range(len(b)):
                    da[k] = b[k]


@kernel
def fold(row: Array, sums: Array) -> None:
    """Write the sum over a row for each channel."""
    c = len(sums)
    sums[:] = 0
    for at in range(0, len(row), c):
        a = row[at : at + c]
        for i in range(c):
            sums[i] += a[i]


@kernel
def local_response(
    queue: Array, x: Array, y: Array, scratch: Array, response: Response, per: int
) -> None:
    """Write ``x · s^-β`` with ``s = k + α · Σ x²`` over n neighbouring channels."""
    c, n, k, alpha, beta = response
    before, pitch = n // 2, c + n - 1
    together = (scratch.shape[2] - LANES) // pitch
    for task in share(queue):
        a, s, power = scratch[task, 0], scratch[task, 1], scratch[task, 2]
        end = min(x.size, (task + 1) * per)
        for first in range(task * per, end, together * c):
            pixels = min(together, (end - first) // c)
            _spread(x, first, pixels, c, a, before, pitch)
            _sums_of_products(a, a, s, pixels, c, n)
            _powers(s[: pixels * pitch], power, k, alpha, beta)
            for p in range(pixels):
                at, to = p * pitch, first + p * c
                for i in range(0, c, LANES):
                    t = inner(zeros(1, 1), a, at + before + i, 0, power, at + i, 0)
                    store_part(t, y, to + i, c - i)


@kernel
def local_response_backward(
    queue: Array, dy: Array, x: Array, dx: Array, scratch: Array, response: Response, per: int
) -> None:
    """Write ``dy · s^-β - 2αβ · x · Σ dy · x · s^(-β-1)``, summed over the outputs that read x."""
    c, n, k, alpha, beta = response
    before, after, pitch = n // 2, (n - 1) // 2, c + n - 1
    together = (scratch.shape[2] - LANES) // pitch
    factor = np.float32(2 * alpha * beta)
    for task in share(queue):
        a, s, power = scratch[task, 0], scratch[task, 1], scratch[task, 2]
        d, q = scratch[task, 3], scratch[task, 4]
        end = min(x.size, (task + 1) * per)
        for first in range(task * per, end, together * c):
            pixels = min(together, (end - first) // c)
            _spread(x, first, pixels, c, a, before, pitch)
            _spread(dy, first, pixels, c, d, after, pitch)
            _sums_of_products(a, a, s, pixels, c, n)
            _powers(s[: pixels * pitch], power, k, alpha, beta)
            for p in range(pixels):
                at = p * pitch
                for i in range(at, at + c, LANES):
                    t = inner(zeros(1, 1), d, after + i, 0, power, i, 0)
                    store_part(t, d, after + i, at + c - i)
                    t = inner(zeros(1, 1), a, before + i, 0, s, i, 0)
                    store_part(t, q, after + i, at + c - i)
            _sums_of_products(d, q, s, pixels, c, n)
            for p in range(pixels):
                at, to = p * pitch, first + p * c
                for i in range(0, c, LANES):
                    t = inner(zeros(1, 1), a, at + before + i, 0, s, at + i, 0)
                    t = load_part(d, at + after + i, LANES) - factor * t
                    store_part(t, dx, to + i, c - i)


@kernel
def _spread(x: Array, first: int, pixels: int, c: int, row: Array, before: int, pitch: int) -> None:
    """Copy pixels into a row, with zeros between them.

    What is written after the end of a pixel is overwritten by the next one.
    """
    for p in range(pixels):
        for i in range(0, c, LANES):
            t = load_part(x, first + p * c + i, c - i)
            store(t, row, p * pitch + before + i, 0)


@kernel
def _sums_of_products(a: Array, b: Array, sums: Array, pixels: int, c: int, n: int) -> None:
    """Write ``a[i]·b[i] + ... + a[i+n-1]·b[i+n-1]`` for each of c channels of each pixel."""
    for p in range(pixels):
        at = p * (c + n - 1)
        for i in range(at, at + c, LANES):
            t = zeros(1, 1)
            for j in range(i, i + n):
                t = inner(t, a, j, 0, b, j, 0)
            store(t, sums, i, 0)


@kernel
def _powers(s: Array, y: Array, k: float, alpha: float, beta: float) -> None:
    """Replace each sum Σ in ``s`` by ``1 / (k + α · Σ)``, and write its power β to ``y``."""
    rest, factor, power = np.float32(k), np.float32(alpha), np.float32(beta)
    for i in range(len(s)):
        s[i] = np.float32(1) / (rest + factor * s[i])
    if beta == 0.75:  # the paper's, which two square roots compute much faster
        for i in range(len(s)):
            y[i] = np.sqrt(s[i] * np.sqrt(s[i]))
    else:
        for i in range(len(s)):
            y[i] = s[i] ** power
