"""The optimizers' formulas: twins of `pellucid.optim.rules`, to 1e-6.

Flat float32 arrays of one size, C-contiguous: the weights ``w``, their gradient ``g``, and what the
rule remembers; run with `pellucid.kernels.blocks.each`. A task is a block of all of them, read once
and written once, and writes nothing else. How fast memory is decides: two cores take 0.14 ms for
Adam on 432,000 weights, 0.08 ms of which they would compute for.
"""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array
from .blocks import part
from .jit import kernel
from .pool.threads import share

__all__ = ["adagrad", "adam", "momentum", "nesterov", "rmsprop", "sgd"]

TINY = np.float32(1e-30)  # times a learning rate, nothing that any weight would notice


@kernel
def _settled(z: np.float32) -> np.float32:
    """Return ``z``, or 0 where it is so small that it would soon be denormal.

    What decays towards zero (the memory of a weight behind a pixel that is always dark) would
    otherwise end in denormal numbers, and one operation on those takes as long as a hundred others:
    on MNIST, Adam's step took 4.3 ms instead of 0.6 after the first epoch.
    """
    return z if abs(z) > TINY or z != z else np.float32(0)


@kernel
def sgd(queue: Array, w: Array, g: Array, lr: float) -> None:
    """``w ← w - η·g``."""
    rate = np.float32(lr)
    for block in share(queue):
        ws, gs = part(w, block), part(g, block)
        for i in range(len(ws)):
            ws[i] -= rate * gs[i]


@kernel
def momentum(queue: Array, w: Array, g: Array, v: Array, lr: float, alpha: float) -> None:
    """``v ← α·v - η·g``; ``w ← w + v``."""
    rate, keep = np.float32(lr), np.float32(alpha)
    for block in share(queue):
        ws, gs, vs = part(w, block), part(g, block), part(v, block)
        for i in range(len(ws)):
            vs[i] = _settled(keep * vs[i] - rate * gs[i])
            ws[i] += vs[i]


@kernel
def nesterov(queue: Array, w: Array, g: Array, v: Array, lr: float, alpha: float) -> None:
    """``v ← α·v - η·g``; ``w ← w + α·v - η·g``."""
    rate, keep = np.float32(lr), np.float32(alpha)
    for block in share(queue):
        ws, gs, vs = part(w, block), part(g, block), part(v, block)
        for i in range(len(ws)):
            vs[i] = _settled(keep * vs[i] - rate * gs[i])
            ws[i] += keep * vs[i] - rate * gs[i]


@kernel
def adagrad(queue: Array, w: Array, g: Array, h: Array, lr: float, eps: float) -> None:
    """``h ← h + g²``; ``w ← w - η·g / (√h + ε)``."""
    rate, small = np.float32(lr), np.float32(eps)
    for block in share(queue):
        ws, gs, hs = part(w, block), part(g, block), part(h, block)
        for i in range(len(ws)):
            hs[i] = _settled(hs[i] + gs[i] * gs[i])
            ws[i] -= rate * gs[i] / (np.sqrt(hs[i]) + small)


@kernel
def rmsprop(queue: Array, w: Array, g: Array, h: Array, lr: float, rho: float, eps: float) -> None:
    """``h ← ρ·h + (1-ρ)·g²``; ``w ← w - η·g / (√h + ε)``."""
    rate, keep, new, small = np.float32(lr), np.float32(rho), np.float32(1 - rho), np.float32(eps)
    for block in share(queue):
        ws, gs, hs = part(w, block), part(g, block), part(h, block)
        for i in range(len(ws)):
            hs[i] = _settled(keep * hs[i] + new * gs[i] * gs[i])
            ws[i] -= rate * gs[i] / (np.sqrt(hs[i]) + small)


@kernel
def adam(
    queue: Array, w: Array, g: Array, m: Array, v: Array,
    t: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """``m ← m + (1-β1)·(g-m)``; ``v ← v + (1-β2)·(g²-v)``; ``w ← (1-η·λ)·w - η·m̂ / (√v̂ + ε)``."""
    a, b, kept = np.float32(1 - beta1), np.float32(1 - beta2), np.float32(1 - lr * weight_decay)
    rate = np.float32(lr / (1 - beta1**t))
    root, small = np.float32(1 / math.sqrt(1 - beta2**t)), np.float32(eps)
    for block in share(queue):
        ws, gs, ms, vs = part(w, block), part(g, block), part(m, block), part(v, block)
        for i in range(len(ws)):
            ms[i] = _settled(ms[i] + a * (gs[i] - ms[i]))
            vs[i] = _settled(vs[i] + b * (gs[i] * gs[i] - vs[i]))
            ws[i] = kept * ws[i] - rate * ms[i] / (np.sqrt(vs[i]) * root + small)
