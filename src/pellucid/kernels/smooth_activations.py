"""Smooth activations: twins of `pellucid.ops.smooth_activations`, and erf.

Flat float32 arrays of one size, as in `pellucid.kernels.elementwise`; a NaN stays NaN.

The normal distribution comes from its tail, for z = |x|:

    Φ(-z) = e^(-z²/2) · T(1 / (1 + 0.4·z))

where T is a polynomial, fitted to 7e-8 relative for z up to 13.3 (the form of Hastings 1955,
"Approximations for digital computers", sheet 43 ff.). With float32 rounding the tail is right to
1e-6 relative up to z = 4; after that the rounding of z² grows with it, while the tail vanishes
beside 1. Twins to 1e-6 of the largest output.
"""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array
from .blocks import part, pieces
from .exp import decay, decay_minus_one
from .jit import kernel, widest_vectors
from .pool.threads import share

__all__ = [
    "elu",
    "elu_backward",
    "erf",
    "erf_backward",
    "gelu",
    "gelu_backward",
    "gelu_by_tanh",
    "gelu_by_tanh_backward",
    "gelu_of",
    "mish",
    "mish_backward",
    "softplus",
    "softplus_backward",
]

ONE, ZERO, HALF, TWO = np.float32(1), np.float32(0), np.float32(0.5), np.float32(2)
NEAR = np.float32(0.4)
TAIL = tuple(
    np.float32(c)
    for c in (
        -1.290531585e-05,
        0.1599234588,
        0.1556192891,
        0.1592015065,
        -0.0145665695,
        0.2546588947,
        -0.3773961147,
        0.2026475128,
        -0.04007510573,
    )
)
# erf(x) = x · SMALL(x²) for |x| up to 1, to 4e-8 relative
SMALL = tuple(
    np.float32(c)
    for c in (
        1.128379122,
        -0.3761232614,
        0.1128017972,
        -0.02671129893,
        0.004917535592,
        -0.0005631352095,
    )
)
# 2·artanh(s) = s · ARTANH(s²) for s up to 1/3: the series, which ends at 1.4e-7 of its first term.
ARTANH = tuple(np.float32(2 / k) for k in (1, 3, 5, 7, 9, 11))
DENSITY = np.float32(1 / math.sqrt(2 * math.pi))
ROOT2, SLOPE = np.float32(math.sqrt(2)), np.float32(2 / math.sqrt(math.pi))  # of erf at 0
# 2·√(2/π) · (x + 0.044715 · x³): its sigmoid is the approximation's gate, flat beyond LAST.
LINE, CUBE, LAST = (
    np.float32(2 * math.sqrt(2 / math.pi)),
    np.float32(2 * math.sqrt(2 / math.pi) * 0.044715),
    np.float32(12),
)
CUBE3 = np.float32(3) * CUBE
FLAT = np.float32(-100)  # e^z is 0 from here down


@kernel
def _tail(z: np.float32, e: np.float32) -> np.float32:
    """Return Φ(-z) for ``z ≥ 0``, given ``e = e^(-z²/2)``."""
    t = ONE / (ONE + NEAR * z)
    p = TAIL[8]
    p = p * t + TAIL[7]
    p = p * t + TAIL[6]
    p = p * t + TAIL[5]
    p = p * t + TAIL[4]
    p = p * t + TAIL[3]
    p = p * t + TAIL[2]
    p = p * t + TAIL[1]
    p = p * t + TAIL[0]
    return e * p


@kernel
@widest_vectors
def gelu(queue: Array, x: Array, y: Array) -> None:
    """``y = x · Φ(x)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            gelu_of(part(x, piece), part(y, piece))


@kernel
@widest_vectors
def gelu_of(xs: Array, ys: Array) -> None:
    """Write the same for the numbers of a block."""
    for i in range(len(xs)):
        a = xs[i]
        small = _tail(abs(a), decay(-HALF * a * a))
        ys[i] = a * (ONE - small if a >= 0 else small)


@kernel
@widest_vectors
def gelu_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy · (Φ(x) + x · φ(x))``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                a = xs[i]
                e = decay(-HALF * a * a)
                small = _tail(abs(a), e)
                dxs[i] = dys[i] * ((ONE - small if a >= 0 else small) + a * (DENSITY * e))


@kernel
@widest_vectors
def gelu_by_tanh(queue: Array, x: Array, y: Array) -> None:
    """``y = x / (1 + e^-u)`` with ``u = 2·√(2/π) · (x + 0.044715 · x³)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                a = xs[i]
                e = decay(-abs(a * (LINE + CUBE * a * a)))
                ys[i] = a * ((ONE if a >= 0 else e) / (ONE + e))


@kernel
@widest_vectors
def gelu_by_tanh_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy · (s + x · s · (1 - s) · u')`` with ``s = 1 / (1 + e^-u)``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                a = min(max(xs[i], -LAST), LAST)  # beyond, the gate's slope is 0
                line, cube = LINE * a, a * a * a
                e = decay(-abs(line + CUBE * cube))
                q = ONE / (ONE + e)
                p = e * q  # s is q or p, and 1 - s the other one
                slope = line + CUBE3 * cube
                # p·q, without a product of three, which LLVM may take apart for the last few
                # numbers in another way than for vectors: p - p².
                dxs[i] = dys[i] * ((q if a >= 0 else p) + (p - p * p) * slope)


@kernel
@widest_vectors
def elu(queue: Array, x: Array, y: Array, above: float, below: float, rate: float) -> None:
    """``y = above · x`` above zero, else ``below · (e^(rate·x) - 1)``."""
    up, down, k = np.float32(above), np.float32(below), np.float32(rate)
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                a = xs[i]
                ys[i] = up * a if a > 0 else down * decay_minus_one(k * min(a, ZERO))


@kernel
@widest_vectors
def elu_backward(
    queue: Array, dy: Array, x: Array, dx: Array, above: float, below: float, rate: float
) -> None:
    """``dx = above · dy`` above zero, else ``below · rate · e^(rate·x) · dy``."""
    up, down, k = np.float32(above), np.float32(below * rate), np.float32(rate)
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                a = xs[i]
                dxs[i] = dys[i] * (up if a > 0 else down * decay(k * min(a, ZERO)))


@kernel
@widest_vectors
def erf(queue: Array, x: Array, y: Array) -> None:
    """``y = 2/√π · ∫ e^-t² dt`` from 0 to x."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                a = xs[i]
                square = a * a
                far = ONE - TWO * _tail(ROOT2 * abs(a), decay(-square))
                p = SMALL[5]
                p = p * square + SMALL[4]
                p = p * square + SMALL[3]
                p = p * square + SMALL[2]
                p = p * square + SMALL[1]
                p = p * square + SMALL[0]
                ys[i] = a * p if square < ONE else (far if a >= 0 else -far)


@kernel
@widest_vectors
def erf_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy · 2/√π · e^-x²``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                dxs[i] = dys[i] * (SLOPE * decay(-xs[i] * xs[i]))


@kernel
@widest_vectors
def softplus(queue: Array, x: Array, y: Array, beta: float) -> None:
    """``y = (max(z, 0) + log(1 + e^-|z|)) / β`` with ``z = β·x``."""
    k, over = np.float32(beta), np.float32(1 / beta)
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                z = max(k * xs[i], FLAT)
                e = decay(-abs(z))
                s = e / (TWO + e)  # log(1 + e) = 2 · artanh(s), s up to 1/3
                q = s * s
                p = ARTANH[5]
                p = p * q + ARTANH[4]
                p = p * q + ARTANH[3]
                p = p * q + ARTANH[2]
                p = p * q + ARTANH[1]
                p = p * q + ARTANH[0]
                # Half of z + |z| is z above 0, without a branch that would let LLVM rearrange the
                # rest.
                ys[i] = (HALF * (z + abs(z)) + s * p) * over


@kernel
@widest_vectors
def softplus_backward(queue: Array, dy: Array, x: Array, dx: Array, beta: float) -> None:
    """``dx = dy / (1 + e^-(β·x))``."""
    k = np.float32(beta)
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                z = k * xs[i]
                e = decay(-abs(z))
                dxs[i] = dys[i] * ((ONE if z >= 0 else e) / (ONE + e))


@kernel
@widest_vectors
def mish(queue: Array, x: Array, y: Array) -> None:
    """``y = x · t`` with ``t = tanh(log(1 + e^x)) = ((1 + e^x)² - 1) / ((1 + e^x)² + 1)``."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                a = xs[i]
                e = decay(-abs(a))
                above = (ONE + TWO * e) / (ONE + TWO * e + TWO * e * e)
                below = e * (e + TWO) / (e * (e + TWO) + TWO)
                ys[i] = a * (above if a >= 0 else below)


@kernel
@widest_vectors
def mish_backward(queue: Array, dy: Array, x: Array, dx: Array) -> None:
    """``dx = dy · (t + x · (1 - t) · (1 + t) / (1 + e^-x))``."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, xs, dxs = part(dy, piece), part(x, piece), part(dx, piece)
            for i in range(len(dys)):
                a = xs[i]
                e = decay(-abs(a))
                up, down = ONE + TWO * e + TWO * e * e, e * (e + TWO) + TWO
                t = (ONE + TWO * e) / up if a >= 0 else e * (e + TWO) / down
                rest = TWO * e * e / up if a >= 0 else TWO / down  # 1 - t
                s = (ONE if a >= 0 else e) / (ONE + e)
                dxs[i] = dys[i] * (t + a * rest * (ONE + t) * s)
