"""Images times a gate for each of their channels, as in squeeze-and-excite.

Channels-last images (N, P, C) of P pixels and gates (N, C), float32, C-contiguous, allocated by the
engine. A task is up to ``per`` pixels of one image, and writes them and its own row of ``sums``
(N, parts, C), nothing else. Twins of `pellucid.ops.multiply` to 1e-6 relative; the engine adds up
the sums of an image. Bound by memory bandwidth.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["gate", "gate_backward", "pixels_of_a_task"]

BLOCK = 2**13  # numbers of a task: a few µs, and its sums of float32 stay short


def pixels_of_a_task(channels: int) -> int:
    """Return the largest number of pixels of one task."""
    return max(1, BLOCK // channels)


@kernel
def gate(queue: Array, x: Array, g: Array, y: Array, per: int) -> None:
    """``y[n,p,c] = x[n,p,c] · g[n,c]``."""
    pixels = x.shape[1]
    parts = (pixels + per - 1) // per
    for task in share(queue):
        n, first = task // parts, task % parts * per
        factors = g[n]
        for p in range(first, min(pixels, first + per)):
            a, b = x[n, p], y[n, p]
            for c in range(len(factors)):
                b[c] = a[c] * factors[c]


@kernel
def gate_backward(
    queue: Array, dy: Array, x: Array, g: Array, dx: Array, sums: Array, per: int
) -> None:
    """``dx[n,p,c] = dy[n,p,c] · g[n,c]``, and ``sums[n,part,c] = Σ_p dy[n,p,c] · x[n,p,c]``."""
    pixels, parts = x.shape[1], sums.shape[1]
    for task in share(queue):
        n, part = task // parts, task % parts
        first = part * per
        factors, total = g[n], sums[n, part]
        total[:] = np.float32(0)
        for p in range(first, min(pixels, first + per)):
            a, b, d = dy[n, p], x[n, p], dx[n, p]
            for c in range(len(factors)):
                total[c] += a[c] * b[c]
                d[c] = a[c] * factors[c]
