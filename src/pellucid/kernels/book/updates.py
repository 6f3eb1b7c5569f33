"""The book's update rules for float64 parameters, and the conversion to float32.

Flat arrays of one size, C-contiguous, run with `pellucid.kernels.blocks.each`: the parameters
``w``, float64, which belong to the script; the gradient ``g`` and the rule's memory, float32 or
float64. Every number is computed in float64, and rounded when it is stored. A task is a block of
all of them, and writes nothing else. The kernels are bound by memory bandwidth, so that float32
memory is faster.

The rules are those of "Deep Learning from Scratch", section 6.1, up to rounding: its Adam has the
bias corrections in the rate, and adds its constant outside the root.
"""

from __future__ import annotations

import numpy as np

from ...typing import Array
from ..blocks import part, pieces
from ..jit import kernel
from ..pool.threads import share

__all__ = ["adagrad", "adam", "momentum", "nesterov", "rmsprop", "sgd", "to_float32"]

OUTSIDE = 1e-7  # added to the root
TINY = 1e-30  # times a learning rate, too small to change any parameter


@kernel
def _settled(z: float) -> float:
    """Return ``z``, or 0 where it would soon be denormal in float32, as in kernels/updates.py."""
    return z if abs(z) > TINY or z != z else 0.0


@kernel
def to_float32(queue: Array, x: Array, y: Array) -> None:
    """``y = x``, rounded."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys = part(x, piece), part(y, piece)
            for i in range(len(xs)):
                ys[i] = np.float32(xs[i])


@kernel
def sgd(queue: Array, w: Array, g: Array, lr: float) -> None:
    """``w ← w - η·g``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs = part(w, piece), part(g, piece)
            for i in range(len(ws)):
                ws[i] -= lr * gs[i]


@kernel
def momentum(queue: Array, w: Array, g: Array, v: Array, lr: float, alpha: float) -> None:
    """``v ← α·v - η·g``; ``w ← w + v``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, vs = part(w, piece), part(g, piece), part(v, piece)
            for i in range(len(ws)):
                z = _settled(alpha * vs[i] - lr * gs[i])
                vs[i] = z
                ws[i] += z


@kernel
def nesterov(
    queue: Array, w: Array, g: Array, v: Array, lr: float, alpha: float, first: bool
) -> None:
    """``w ← w + α²·v - (1+α)·η·g``; ``v ← α·v - η·g``, which is done before if ``first``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, vs = part(w, piece), part(g, piece), part(v, piece)
            for i in range(len(ws)):
                before = np.float64(vs[i])
                after = _settled(alpha * before - lr * gs[i])
                z = after if first else before
                ws[i] += alpha * alpha * z - (1 + alpha) * lr * gs[i]
                vs[i] = after


@kernel
def adagrad(queue: Array, w: Array, g: Array, h: Array, lr: float) -> None:
    """``h ← h + g²``; ``w ← w - η·g / (√h + 1e-7)``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, hs = part(w, piece), part(g, piece), part(h, piece)
            for i in range(len(ws)):
                z = np.float64(gs[i])
                s = _settled(hs[i] + z * z)
                hs[i] = s
                ws[i] -= lr * z / (np.sqrt(s) + OUTSIDE)


@kernel
def rmsprop(queue: Array, w: Array, g: Array, h: Array, lr: float, rho: float) -> None:
    """``h ← ρ·h + (1-ρ)·g²``; ``w ← w - η·g / (√h + 1e-7)``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, hs = part(w, piece), part(g, piece), part(h, piece)
            for i in range(len(ws)):
                z = np.float64(gs[i])
                s = _settled(rho * hs[i] + (1 - rho) * (z * z))
                hs[i] = s
                ws[i] -= lr * z / (np.sqrt(s) + OUTSIDE)


@kernel
def adam(
    queue: Array, w: Array, g: Array, m: Array, v: Array, rate: float, a: float, b: float
) -> None:
    """``m ← m + a·(g-m)``; ``v ← v + b·(g²-v)``; ``w ← w - η·m / (√v + 1e-7)``, η the ``rate``."""
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, ms, vs = part(w, piece), part(g, piece), part(m, piece), part(v, piece)
            for i in range(len(ws)):
                z = np.float64(gs[i])
                s = _settled(ms[i] + a * (z - ms[i]))
                q = _settled(vs[i] + b * (z * z - vs[i]))
                ms[i], vs[i] = s, q
                ws[i] -= rate * s / (np.sqrt(q) + OUTSIDE)
