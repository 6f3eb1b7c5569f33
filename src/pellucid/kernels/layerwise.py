"""LARS and LAMB: twins of `pellucid.optim.layerwise`, to 1e-6.

Arrays as in `pellucid.kernels.updates`. A step is two launches over the blocks of one parameter:
the first writes the sums of squares of each block to ``parts``, of which `norms` adds up a tree,
so that the bits do not depend on the threads; the second updates the weights at the rate that
follows. LAMB computes the update twice, from the moments, instead of keeping it in between.
"""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array
from .blocks import blocks, part, pieces
from .jit import kernel
from .pool.threads import share
from .tree import tree_sum
from .updates import AdamConstants, settled

__all__ = ["lamb", "lamb_moments", "lars", "norms", "parts_for", "squares_of_two"]


def parts_for(size: int) -> Array:
    """Return an array for the sums of squares of each block: two for a block, side by side."""
    return np.zeros(2 * max(1, blocks(size)))


def norms(parts: Array) -> tuple[float, float]:
    """Return the two norms of which a kernel has written the blocks' sums of squares."""
    first, second = tree_sum(parts.reshape(-1, 2)).tolist()
    return math.sqrt(first), math.sqrt(second)


@kernel
def squares_of_two(queue: Array, w: Array, g: Array, parts: Array) -> None:
    """Write the sums of squares of each block of ``w`` and ``g`` to ``parts``, in float64."""
    for block in share(queue):
        of_w, of_g = 0.0, 0.0
        for piece in pieces(block, w):
            ws, gs = part(w, piece), part(g, piece)
            for i in range(len(ws)):
                of_w += np.float64(ws[i]) * np.float64(ws[i])
                of_g += np.float64(gs[i]) * np.float64(gs[i])
        parts[2 * block], parts[2 * block + 1] = of_w, of_g


@kernel
def lars(
    queue: Array, w: Array, g: Array, v: Array, rate: float, momentum: float, weight_decay: float
) -> None:
    """``v ← μ·v + η·q·(g + λ·w)``; ``w ← w - v``; the rate is η·q."""
    step, keep, decay = np.float32(rate), np.float32(momentum), np.float32(weight_decay)
    for block in share(queue):
        for piece in pieces(block, w):
            ws, gs, vs = part(w, piece), part(g, piece), part(v, piece)
            for i in range(len(ws)):
                vs[i] = settled(keep * vs[i] + step * (gs[i] + decay * ws[i]))
                ws[i] -= vs[i]


@kernel
def lamb_moments(
    queue: Array, w: Array, g: Array, m: Array, v: Array, parts: Array, constants: AdamConstants
) -> None:
    """Update the moments m and v; write the sums of squares of w and of the update u to ``parts``.

    ``r = m̂ / (√v̂ + ε)``; ``u = r + λ·w``.
    """
    t, _, beta1, beta2, eps, weight_decay, _ = constants
    a, b, decay = np.float32(1 - beta1), np.float32(1 - beta2), np.float32(weight_decay)
    mean, root = np.float32(1 / (1 - beta1**t)), np.float32(1 / math.sqrt(1 - beta2**t))
    small = np.float32(eps)
    for block in share(queue):
        of_w, of_u = 0.0, 0.0
        for piece in pieces(block, w):
            ws, gs, ms, vs = part(w, piece), part(g, piece), part(m, piece), part(v, piece)
            for i in range(len(ws)):
                ms[i] = settled(ms[i] + a * (gs[i] - ms[i]))
                vs[i] = settled(vs[i] + b * (gs[i] * gs[i] - vs[i]))
                u = mean * ms[i] / (np.sqrt(vs[i]) * root + small) + decay * ws[i]
                of_w += np.float64(ws[i]) * np.float64(ws[i])
                of_u += np.float64(u) * np.float64(u)
        parts[2 * block], parts[2 * block + 1] = of_w, of_u


@kernel
def lamb(queue: Array, w: Array, m: Array, v: Array, constants: AdamConstants) -> None:
    """``w ← w - η·q·u``; the rate among the constants is η·q."""
    t, lr, beta1, beta2, eps, weight_decay, _ = constants
    decay, rate, small = np.float32(weight_decay), np.float32(lr), np.float32(eps)
    mean, root = np.float32(1 / (1 - beta1**t)), np.float32(1 / math.sqrt(1 - beta2**t))
    for block in share(queue):
        for piece in pieces(block, w):
            ws, ms, vs = part(w, piece), part(m, piece), part(v, piece)
            for i in range(len(ws)):
                u = mean * ms[i] / (np.sqrt(vs[i]) * root + small) + decay * ws[i]
                ws[i] -= rate * u
