"""The optimizers' formulas: twins of `pellucid.optim.rules`, to 1e-6.

Flat float32 arrays of one size, C-contiguous: the weights ``w``, their gradient ``g``, and the
rule's memory; run with `pellucid.kernels.blocks.each`. A task is a block of all of them, read once
and written once, and writes nothing else. Memory bandwidth is the limit: two cores take 0.14 ms for
Adam on 432,000 weights, where the arithmetic alone takes 0.08 ms.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..typing import Array
from .blocks import part, pieces
from .jit import kernel
from .pool.threads import share

__all__ = [
    "TOGETHER",
    "AdamConstants",
    "adagrad",
    "adam",
    "average",
    "momentum",
    "rmsprop",
    "scale",
    "settled",
    "sgd",
    "squares",
]

TOGETHER = 8  # parts whose squares are a task
TINY = np.float32(1e-30)  # times a learning rate, too small to change any weight


class AdamConstants(NamedTuple):
    """The number ``t`` of the step, and the constants of Adam; of the two decays one is 0.

    Attributes
    ----------
    t : int
    lr, beta1, beta2, eps : float
    weight_decay : float
        λ, added to the gradient.
    shrink : float
        AdamW's decay, of the weights themselves.
    """

    t: int
    lr: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    shrink: float


@kernel
def settled(z: np.float32) -> np.float32:
    """Return ``z``, or 0 where it is so small that it would soon be denormal.

    A moment that decays towards zero (that of a weight whose pixel is always dark) would otherwise
    become denormal, and an operation on denormal numbers takes a hundred times as long: on MNIST,
    Adam's step took 4.3 ms instead of 0.6 after the first epoch.
    """
    return z if abs(z) > TINY or z != z else np.float32(0)


@kernel
def sgd(queue: Array, w: Array, g: Array, lr: float, weight_decay: float) -> None:
    """``g ← g + λ·w``; ``w ← w - η·g``."""
    rate, decay = np.float32(lr), np.float32(weight_decay)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs = part(w, piece), part(g, piece)
            for i in range(len(ws)):
                ws[i] -= rate * (gs[i] + decay * ws[i])


@kernel
def momentum(
    queue: Array, w: Array, g: Array, v: Array,
    lr: float, momentum: float, nesterov: bool, weight_decay: float,
) -> None:  # fmt: skip
    """``g ← g + λ·w``; ``v ← μ·v + g``; ``w ← w - η·v``, or ``w ← w - η·(g + μ·v)``."""
    rate, keep, decay = np.float32(lr), np.float32(momentum), np.float32(weight_decay)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, vs = part(w, piece), part(g, piece), part(v, piece)
            for i in range(len(ws)):
                slope = gs[i] + decay * ws[i]
                vs[i] = settled(keep * vs[i] + slope)
                ws[i] -= rate * (slope + keep * vs[i] if nesterov else vs[i])


@kernel
def adagrad(
    queue: Array, w: Array, g: Array, h: Array, lr: float, eps: float, weight_decay: float
) -> None:
    """``g ← g + λ·w``; ``h ← h + g²``; ``w ← w - η·g / (√h + ε)``."""
    rate, small, decay = np.float32(lr), np.float32(eps), np.float32(weight_decay)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, hs = part(w, piece), part(g, piece), part(h, piece)
            for i in range(len(ws)):
                slope = gs[i] + decay * ws[i]
                hs[i] = settled(hs[i] + slope * slope)
                ws[i] -= rate * slope / (np.sqrt(hs[i]) + small)


@kernel
def rmsprop(
    queue: Array, w: Array, g: Array, h: Array,
    lr: float, alpha: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """``g ← g + λ·w``; ``h ← α·h + (1-α)·g²``; ``w ← w - η·g / (√h + ε)``."""
    rate, keep, new = np.float32(lr), np.float32(alpha), np.float32(1 - alpha)
    small, decay = np.float32(eps), np.float32(weight_decay)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, hs = part(w, piece), part(g, piece), part(h, piece)
            for i in range(len(ws)):
                slope = gs[i] + decay * ws[i]
                hs[i] = settled(keep * hs[i] + new * slope * slope)
                ws[i] -= rate * slope / (np.sqrt(hs[i]) + small)


@kernel
def adam(queue: Array, w: Array, g: Array, m: Array, v: Array, constants: AdamConstants) -> None:
    """``m ← m + (1-β1)·(g-m)``; ``v ← v + (1-β2)·(g²-v)``; ``w ← (1-η·s)·w - η·m̂ / (√v̂ + ε)``.

    Before that ``g ← g + λ·w``. AdamW's decay is ``shrink`` s instead of λ.
    """
    t, lr, beta1, beta2, eps, weight_decay, shrink = constants
    a, b, decay = np.float32(1 - beta1), np.float32(1 - beta2), np.float32(weight_decay)
    kept, rate = np.float32(1 - lr * shrink), np.float32(lr / (1 - beta1**t))
    root, small = np.float32(1 / math.sqrt(1 - beta2**t)), np.float32(eps)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, ms, vs = part(w, piece), part(g, piece), part(m, piece), part(v, piece)
            for i in range(len(ws)):
                slope = gs[i] + decay * ws[i]
                ms[i] = settled(ms[i] + a * (slope - ms[i]))
                vs[i] = settled(vs[i] + b * (slope * slope - vs[i]))
                ws[i] = kept * ws[i] - rate * ms[i] / (np.sqrt(vs[i]) * root + small)


@kernel
def average(queue: Array, a: Array, w: Array, decay: float) -> None:
    """Compute ``a ← a + (1-d)·(w - a)``: the twin of `pellucid.training.averaging.average`."""
    new = np.float32(1 - decay)
    for block in share(queue):
        for piece in pieces(block, a):
            averages, ws = part(a, piece), part(w, piece)
            for i in range(len(ws)):
                averages[i] += new * (ws[i] - averages[i])


@kernel
def squares(queue: Array, g: Array, bounds: Array, sums: Array) -> None:
    """Write the sum of squares of each part of ``g`` to ``sums``, in float64.

    Part k is from ``bounds[k, 0]`` to ``bounds[k, 1]``; `TOGETHER` of them are a task.
    """
    for task in share(queue):
        for k in range(task * TOGETHER, min((task + 1) * TOGETHER, len(sums))):
            gs, total = g[bounds[k, 0] : bounds[k, 1]], 0.0
            for i in range(len(gs)):
                total += np.float64(gs[i]) * np.float64(gs[i])
            sums[k] = total


@kernel
def scale(queue: Array, g: Array, factor: float) -> None:
    """``g ← factor·g``."""
    f = np.float32(factor)
    for block in share(queue):
        for piece in pieces(block, g):
            gs = part(g, piece)
            for i in range(len(gs)):
                gs[i] *= f
