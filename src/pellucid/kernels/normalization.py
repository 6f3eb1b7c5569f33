"""Batch, group and local response normalisation: twins of `pellucid.ops`, to 1e-5.

Channels last: the numbers are flat, C of them a pixel, float32, C-contiguous; the engine allocates.
A task is a block of whole pixels. What normalisation knows of each channel comes as *rows* of
`period(C)` numbers, a multiple of C, over which its loops run however few channels there are: one
set of rows for all tasks (batch normalisation), or one for each (group normalisation, whose tasks
are the images).
Sums over the batch are sums of each block, float64, which the engine adds up as a tree; ``bounds``
(tasks + 1,) says where these blocks begin and end, so that none lies in two chunks of the images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..typing import Array
from .jit import LANES, kernel
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
    "local_response",
    "local_response_backward",
    "period",
    "response_room",
    "whole_pixels",
]

BATCH_BLOCK = 2**16  # numbers of a task: they stay in the second-level cache for a second look
RESPONSE_BLOCK = 2**15  # some 30 µs
ROW = 256  # numbers of a row, at least, for a loop over one to be a fast one
TOGETHER = 256  # numbers that local response normalisation takes through each of its steps at once


class Response(NamedTuple):
    """The constants of local response normalisation, for ``channels`` and ``size`` neighbours."""

    channels: int
    size: int
    k: float
    alpha: float
    beta: float


def whole_pixels(numbers: int, channels: int) -> int:
    """Return how many numbers the pixels have that fit into so many, or one pixel."""
    return max(1, numbers // channels) * channels


def period(channels: int) -> int:
    """Return how many numbers a row of what belongs to the channels has."""
    return -(-ROW // channels) * channels


def response_room(channels: int, n: int) -> int:
    """Return how long each of the five rows of a task is in local response normalisation."""
    return whole_pixels(TOGETHER, channels + n - 1) + LANES


@kernel
def batch_statistics(queue: Array, x: Array, room: Array, sums: Array, bounds: Array) -> None:
    """Write of each block the mean of each channel, and the sum of squares around it.

    Two passes: the second one, around a rounded mean, also finds what that is off by (Chan, Golub &
    LeVeque 1983, "Algorithms for computing the sample variance", section 3).
    """
    c, width = sums.shape[2], room.shape[2]
    for task in share(queue):
        block = x[bounds[task] : bounds[task + 1]]
        pixels = len(block) // c
        mean, square = sums[task, 0], sums[task, 1]
        total, around, squares = room[task, 0], room[task, 1], room[task, 2]
        total[:] = 0
        for at in range(0, len(block), width):
            a = block[at : at + width]
            for k in range(len(a)):
                total[k] += a[k]
        _fold(total, mean)
        for at in range(0, width, c):
            b = around[at : at + c]
            for i in range(c):
                b[i] = mean[i] / pixels
        total[:] = 0
        squares[:] = 0
        for at in range(0, len(block), width):
            a = block[at : at + width]
            for k in range(len(a)):
                d = a[k] - around[k]
                total[k] += d
                squares[k] += d * d
        _fold(total, mean)
        _fold(squares, square)
        for i in range(c):
            off = mean[i] / pixels
            mean[i] = around[i] + off
            square[i] -= off * off * pixels


@kernel
def batch_norm(queue: Array, x: Array, y: Array, rows: Array, relu: bool, per: int) -> None:
    """Write ``z = (x - own[0]) · own[1] + own[2]``; if ``relu``, 0 where that is below 0."""
    width = rows.shape[2]
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift = own[0], own[1], own[2]
        for at in range(task * per, min(x.size, (task + 1) * per), width):
            end = min(at + width, (task + 1) * per)
            a, b = x[at:end], y[at:end]
            for k in range(len(a)):
                z = (a[k] - around[k]) * scale[k] + shift[k]
                b[k] = np.float32(0) if relu and z < 0 else z


@kernel
def batch_gradient_sums(
    queue: Array, dy: Array, x: Array, rows: Array, room: Array, sums: Array, relu: bool,
    bounds: Array,
) -> None:  # fmt: skip
    """Write of each block ``Σ dz`` and ``Σ dz · (x - own[0])``; dz is dy where z was above 0."""
    width = rows.shape[2]
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift = own[0], own[1], own[2]
        total, moment = room[task, 0], room[task, 1]
        total[:] = 0
        moment[:] = 0
        for at in range(bounds[task], bounds[task + 1], width):
            end = min(at + width, bounds[task + 1])
            a, da = x[at:end], dy[at:end]
            for k in range(len(a)):
                d = a[k] - around[k]
                z = d * scale[k] + shift[k]
                dz = np.float32(0) if relu and not z > 0 else da[k]
                total[k] += dz
                moment[k] += dz * d
        _fold(total, sums[task, 0])
        _fold(moment, sums[task, 1])


@kernel
def batch_gradient(
    queue: Array, dy: Array, x: Array, dx: Array, rows: Array, relu: bool, fixed: bool, per: int
) -> None:
    """Write ``dz · own[1]``; unless the statistics are ``fixed``, ``+ d · own[3] + own[4]``."""
    width = rows.shape[2]
    for task in share(queue):
        own = rows[min(task, len(rows) - 1)]
        around, scale, shift, slope, level = own[0], own[1], own[2], own[3], own[4]
        for at in range(task * per, min(x.size, (task + 1) * per), width):
            end = min(at + width, (task + 1) * per)
            a, da, b = x[at:end], dy[at:end], dx[at:end]
            for k in range(len(a)):
                d = a[k] - around[k]
                z = d * scale[k] + shift[k]
                dz = np.float32(0) if relu and not z > 0 else da[k]
                b[k] = dz * scale[k] + (np.float32(0) if fixed else d * slope[k] + level[k])


@kernel
def _fold(row: Array, sums: Array) -> None:
    """Add up what a row holds of each channel."""
    c = len(sums)
    sums[:] = 0
    for at in range(0, len(row), c):
        a = row[at : at + c]
        for i in range(c):
            sums[i] += a[i]


@kernel
def local_response(
    queue: Array, x: Array, y: Array, room: Array, response: Response, per: int
) -> None:
    """Write ``x · s^-β`` with ``s = k + α · Σ x²`` over n neighbouring channels."""
    c, n, k, alpha, beta = response
    before, pitch = n // 2, c + n - 1
    together = (room.shape[2] - LANES) // pitch
    for task in share(queue):
        a, s, power = room[task, 0], room[task, 1], room[task, 2]
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
    queue: Array, dy: Array, x: Array, dx: Array, room: Array, response: Response, per: int
) -> None:
    """Write ``dy · s^-β - 2αβ · x · Σ dy · x · s^(-β-1)``, the sum over those that saw x."""
    c, n, k, alpha, beta = response
    before, after, pitch = n // 2, (n - 1) // 2, c + n - 1
    together = (room.shape[2] - LANES) // pitch
    factor = np.float32(2 * alpha * beta)
    for task in share(queue):
        a, s, power = room[task, 0], room[task, 1], room[task, 2]
        d, q = room[task, 3], room[task, 4]
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
            heard = s
            _sums_of_products(d, q, heard, pixels, c, n)
            for p in range(pixels):
                at, to = p * pitch, first + p * c
                for i in range(0, c, LANES):
                    t = inner(zeros(1, 1), a, at + before + i, 0, heard, at + i, 0)
                    t = load_part(d, at + after + i, LANES) - factor * t
                    store_part(t, dx, to + i, c - i)


@kernel
def _spread(x: Array, first: int, pixels: int, c: int, row: Array, before: int, pitch: int) -> None:
    """Copy pixels into a row, with zeros between them.

    What is written behind a pixel the next one overwrites.
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
    """Turn the sums into ``1 / s = 1 / (k + α · Σ)``, and write ``s^-β``."""
    rest, factor, power = np.float32(k), np.float32(alpha), np.float32(beta)
    for i in range(len(s)):
        s[i] = np.float32(1) / (rest + factor * s[i])
    if beta == 0.75:  # the paper's, and much quicker to take than any
        for i in range(len(s)):
            y[i] = np.sqrt(s[i] * np.sqrt(s[i]))
    else:
        for i in range(len(s)):
            y[i] = s[i] ** power
