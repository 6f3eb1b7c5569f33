"""Activations made of straight pieces: twins of `pellucid.ops.rectifiers` to 1e-6 relative.

Flat float32 arrays of one size, as in `pellucid.kernels.elementwise`; a NaN stays NaN. The slopes
of PReLU are those of the channels: its arrays are channels-last, and the slopes come as one row of
`pellucid.kernels.normalization.period` numbers, the C slopes repeated. Its tasks are blocks of
whole pixels between ``bounds``; each of them sums the gradients of the slopes, and the engine adds
these sums up as a tree.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .blocks import part, pieces
from .jit import kernel
from .pool.threads import share

__all__ = [
    "clip",
    "clip_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardsigmoid_of",
    "hardswish",
    "hardswish_at",
    "hardswish_backward",
    "hardswish_of",
    "hardswish_slope",
    "prelu",
    "prelu_backward",
]

ONE, ZERO, HALF, THREE = np.float32(1), np.float32(0), np.float32(0.5), np.float32(3)
SIXTH, THIRD = np.float32(1 / 6), np.float32(1 / 3)


@kernel
def clip(queue: Array, x: Array, y: Array, low: float, high: float) -> None:
    """``y = min(max(x, low), high)``."""
    least, most = np.float32(low), np.float32(high)
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                z = least if xs[i] < least else xs[i]
                ys[i] = most if z > most else z


@kernel
def clip_backward(queue: Array, dy: Array, y: Array, dx: Array, low: float, high: float) -> None:
    """``dx = dy`` where ``low < y < high``, else 0; x in place of y gives the same."""
    least, most = np.float32(low), np.float32(high)
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ys, dxs = part(dy, piece), part(y, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] if (ys[i] > least) & (ys[i] < most) else ZERO


@kernel
def hardsigmoid(queue: Array, x: Array, y: Array, alpha: float, beta: float) -> None:
    """``y = min(max(α·x + β, 0), 1)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            hardsigmoid_of(part(x, piece), part(y, piece), alpha, beta)


@kernel
def hardsigmoid_of(xs: Array, ys: Array, alpha: float, beta: float) -> None:
    """Write the same for the numbers of a block."""
    a, b = np.float32(alpha), np.float32(beta)
    for i in range(len(xs)):
        ys[i] = min(max(a * xs[i] + b, ZERO), ONE)


@kernel
def hardsigmoid_backward(
    queue: Array, dy: Array, y: Array, dx: Array, alpha: float, beta: float
) -> None:
    """``dx = α·dy`` where ``0 < y < 1``, else 0."""
    a = np.float32(alpha)
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ys, dxs = part(dy, piece), part(y, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = a * dys[i] if (ys[i] > ZERO) & (ys[i] < ONE) else ZERO


@kernel
def hardswish(queue: Array, x: Array, y: Array) -> None:
    """``y = x · min(max(x/6 + 1/2, 0), 1)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            hardswish_of(part(x, piece), part(y, piece))


@kernel
def hardswish_of(xs: Array, ys: Array) -> None:
    """Write the same for the numbers of a block."""
    for i in range(len(xs)):
        ys[i] = hardswish_at(xs[i])


@kernel
def hardswish_at(x: np.float32) -> np.float32:
    """Return ``x · min(max(x/6 + 1/2, 0), 1)``."""
    return x * min(max(SIXTH * x + HALF, ZERO), ONE)


@kernel
def hardswish_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy`` times 0 up to -3, ``x/3 + 1/2``, and 1 from 3 on."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] * hardswish_slope(xs[i])


@kernel
def hardswish_slope(x: np.float32) -> np.float32:
    """Return the slope at x: 0 up to -3, ``x/3 + 1/2`` between, 1 from 3 on."""
    slope = THIRD * x + HALF if x < THREE else ONE
    return ZERO if x <= -THREE else slope


@kernel
def prelu(queue: Array, x: Array, y: Array, slopes: Array, bounds: Array) -> None:
    """``y = x`` above zero, else ``x`` times the slope of its channel."""
    width = len(slopes)
    for task in share(queue):
        for at in range(bounds[task], bounds[task + 1], width):
            end = min(at + width, bounds[task + 1])
            xs, ys = x[at:end], y[at:end]
            for k in range(len(xs)):
                ys[k] = xs[k] if xs[k] > 0 else slopes[k] * xs[k]


@kernel
def prelu_backward(
    queue: Array, dy: Array, x: Array, dx: Array, slopes: Array, bounds: Array,
    scratch: Array, sums: Array,
) -> None:  # fmt: skip
    """``dx = dy`` or ``slope · dy``; write ``Σ dy · x`` below zero for each channel of a block."""
    c, width = sums.shape[1], len(slopes)
    for task in share(queue):
        total, own = scratch[task], sums[task]
        total[:] = 0
        for at in range(bounds[task], bounds[task + 1], width):
            end = min(at + width, bounds[task + 1])
            xs, dys, dxs = x[at:end], dy[at:end], dx[at:end]
            for k in range(len(xs)):  # all of it loaded first, or LLVM would branch
                a, g, slope = xs[k], dys[k], slopes[k]
                dxs[k] = g * (ONE if a > 0 else slope)
                total[k] += g * min(a, ZERO)
        own[:] = 0
        for at in range(0, width, c):
            a = total[at : at + c]
            for i in range(c):
                own[i] += a[i]
