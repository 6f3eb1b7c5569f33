"""Activations and dropout: elementwise functions.

Flat float32 arrays of one size, C-contiguous, allocated by the engine, in any layout: run with
`pellucid.kernels.blocks.each`. A task is a block, and writes that block and nothing else. Twins of
`pellucid.ops.activations` and `pellucid.ops.dropout` to 1e-6 relative; a NaN stays NaN. All of them
are bound by memory bandwidth, sigmoid and tanh too. The names:

    y   the output      dy   its gradient      dx   the gradient of the input x
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .blocks import part, pieces
from .exp import decay
from .jit import kernel, widest_vectors
from .pool.threads import share

__all__ = [
    "add",
    "dropout_mask",
    "leaky_relu",
    "leaky_relu_backward",
    "multiply",
    "relu",
    "relu_backward",
    "scale_images",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_of",
    "silu",
    "silu_at",
    "silu_backward",
    "silu_of",
    "silu_slope",
    "tanh",
    "tanh_backward",
]

ONE, ZERO = np.float32(1), np.float32(0)
# tanh as a quotient of polynomials, x·ODD(x²) / EVEN(x²), for |x| below FLAT, where it rounds to 1:
# the coefficients of Eigen (Core/MathFunctionsImpl.h, ptanh_float).
FLAT = np.float32(7.90531110763549805)
ODD = tuple(
    np.float32(c)
    for c in (
        4.89352455891786e-03,
        6.37261928875436e-04,
        1.48572235717979e-05,
        5.12229709037114e-08,
        -8.60467152213735e-11,
        2.00018790482477e-13,
        -2.76076847742355e-16,
    )
)
EVEN = tuple(
    np.float32(c)
    for c in (
        4.89352518554385e-03,
        2.26843463243900e-03,
        1.18534705686654e-04,
        1.19825839466702e-06,
    )
)


@kernel
def relu(queue: Array, x: Array, y: Array) -> None:
    """``y = max(0, x)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                ys[i] = ZERO if xs[i] < 0 else xs[i]


@kernel
def relu_backward(queue: Array, dy: Array, y: Array, dx: Array) -> None:
    """``dx = dy`` where ``y`` is above zero, else 0; x in place of y gives the same."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ys, dxs = part(dy, piece), part(y, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] if ys[i] > 0 else ZERO


@kernel
def add(queue: Array, a: Array, b: Array, y: Array, rectify: bool) -> None:
    """``y = a + b``, or ``max(0, a + b)``."""
    for block in share(queue):
        for piece in pieces(block, a):
            s, t, ys = part(a, piece), part(b, piece), part(y, piece)
            if rectify:
                for i in range(len(ys)):
                    z = s[i] + t[i]
                    ys[i] = ZERO if z < 0 else z
            else:
                for i in range(len(ys)):
                    ys[i] = s[i] + t[i]


@kernel
def leaky_relu(queue: Array, x: Array, y: Array, slope: float) -> None:
    """``y = x`` above zero, else ``slope · x``."""
    k = np.float32(slope)
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                ys[i] = xs[i] if xs[i] > 0 else k * xs[i]


@kernel
def leaky_relu_backward(queue: Array, dy: Array, x: Array, dx: Array, slope: float) -> None:
    """``dx = dy`` where ``x`` is above zero, else ``slope · dy``."""
    k = np.float32(slope)
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] if xs[i] > 0 else k * dys[i]


@kernel
@widest_vectors
def sigmoid(queue: Array, x: Array, y: Array) -> None:
    """``y = 1 / (1 + e^-x)``, from ``e^-|x|``."""
    for block in share(queue):
        for piece in pieces(block, x):
            sigmoid_of(part(x, piece), part(y, piece))


@kernel
@widest_vectors
def sigmoid_of(xs: Array, ys: Array) -> None:
    """Write the same for the numbers of a block."""
    for i in range(len(xs)):
        e = decay(-abs(xs[i]))
        ys[i] = (ONE if xs[i] >= 0 else e) / (ONE + e)


@kernel
def sigmoid_backward(queue: Array, dy: Array, y: Array, dx: Array) -> None:
    """``dx = dy · y · (1 - y)``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ys, dxs = part(dy, piece), part(y, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] * ys[i] * (ONE - ys[i])


@kernel
@widest_vectors
def tanh(queue: Array, x: Array, y: Array) -> None:
    """``y = (e^x - e^-x) / (e^x + e^-x)``, within 5e-7 relative, by `ODD` and `EVEN`."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                z = min(max(xs[i], -FLAT), FLAT)
                s = z * z
                p = ODD[6]
                p = p * s + ODD[5]
                p = p * s + ODD[4]
                p = p * s + ODD[3]
                p = p * s + ODD[2]
                p = p * s + ODD[1]
                p = p * s + ODD[0]
                q = EVEN[3]
                q = q * s + EVEN[2]
                q = q * s + EVEN[1]
                q = q * s + EVEN[0]
                t = z * p / q
                ys[i] = ONE if z == FLAT else -ONE if z == -FLAT else t


@kernel
def tanh_backward(queue: Array, dy: Array, y: Array, dx: Array) -> None:
    """``dx = dy · (1 - y²)``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ys, dxs = part(dy, piece), part(y, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] * (ONE - ys[i] * ys[i])


@kernel
@widest_vectors
def silu(queue: Array, x: Array, y: Array) -> None:
    """``y = x / (1 + e^-x)``, from ``e^-|x|``; 0 for x below -87, where that is denormal."""
    for block in share(queue):
        for piece in pieces(block, x):
            silu_of(part(x, piece), part(y, piece))


@kernel
@widest_vectors
def silu_of(xs: Array, ys: Array) -> None:
    """Write the same for the numbers of a block."""
    for i in range(len(xs)):
        ys[i] = silu_at(xs[i])


@kernel
def silu_at(x: np.float32) -> np.float32:
    """Return ``x · sigmoid(x)``."""
    e = decay(-abs(x))
    return x * ((ONE if x >= 0 else e) / (ONE + e))


@kernel
@widest_vectors
def silu_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy · s · (1 + x · t)`` with ``s = 1 / (1 + e^-x)`` and ``t = 1 - s``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] * silu_slope(xs[i])


@kernel
def silu_slope(x: np.float32) -> np.float32:
    """Return ``s · (1 + x · t)``, with s = sigmoid(x) and t = 1 - s."""
    e = decay(-abs(x))
    large, small = ONE / (ONE + e), e / (ONE + e)
    s, t = (large, small) if x >= 0 else (small, large)
    return s * (ONE + x * t)


@kernel
def multiply(queue: Array, x: Array, mask: Array, y: Array) -> None:
    """``y = x · mask``: dropout's gradient."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ms, ys = part(x, piece), part(mask, piece), part(y, piece)
            for i in range(len(xs)):
                ys[i] = xs[i] * ms[i]


@kernel
def scale_images(queue: Array, x: Array, factors: Array, y: Array) -> None:
    """``y[n] = x[n] · factors[n]`` for images as rows (N, F): a task is an image."""
    for n in share(queue):
        xs, ys, factor = x[n], y[n], factors[n]
        for i in range(len(xs)):
            ys[i] = xs[i] * factor


@kernel
def dropout_mask(queue: Array, drawn: Array, mask: Array, p: float, scale: float) -> None:
    """``mask[n,i,c] = scale`` where ``drawn[n,c,i] ≥ p``, else 0, in a single task.

    ``drawn`` is float64, for images (N, C, cells), in the order in which the plain layer draws: the
    same cells are dropped in images (N, cells, C).
    """
    images, cells, channels = mask.shape
    kept = np.float32(scale)
    for _ in share(queue):
        for n in range(images):
            for i in range(cells):
                cell = mask[n, i]
                for c in range(channels):
                    cell[c] = kept if drawn[n, c, i] >= p else ZERO
