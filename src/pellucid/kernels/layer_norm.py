"""Layer normalisation: the twin of `pellucid.ops.layer_norm`, to 1e-5.

Flat float32 arrays that are rows of m numbers, C-contiguous: the last axes of an image, or the
channels of a pixel of channels-last images. A task is a block of rows between ``bounds`` (tasks +
1,), counted in rows; none of them crosses from one chunk of the images into another. ``stats``
(rows, 3) keeps the mean as float32, its rounding error times the scale, and the scale 1 / √(σ² + ε)
of each row. Sums along a row are computed in float32 over `TOGETHER` numbers, and added in float64;
sums over the rows of a block in float32, and added up by the engine as a tree.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["ROWS_BLOCK", "layer_norm", "layer_norm_backward"]

ROWS_BLOCK = 2**15  # numbers of a task
TOGETHER = 256
ONE, ZERO, WIDE = np.float32(1), np.float32(0), np.float64(0)  # where sums begin


@kernel
def layer_norm(
    queue: Array, x: Array, y: Array, gamma: Array, beta: Array, stats: Array, bounds: Array,
    eps: float,
) -> None:  # fmt: skip
    """Write ``y = γ · (x - μ) / √(σ² + ε) + β``, and the statistics of each row."""
    m = len(gamma)
    # Double precision beyond the sums would take half of the time where rows are short.
    share_of, least = ONE / np.float32(m), np.float32(eps)
    for task in share(queue):
        for row in range(bounds[task], bounds[task + 1]):
            a, b = x[row * m : (row + 1) * m], y[row * m : (row + 1) * m]
            total, squares = WIDE, WIDE
            for at in range(0, m, TOGETHER):
                c, s = a[at : at + TOGETHER], ZERO
                for k in range(len(c)):
                    s += c[k]
                total += s
            around, total = np.float32(total) * share_of, WIDE
            for at in range(0, m, TOGETHER):
                c, s, q = a[at : at + TOGETHER], ZERO, ZERO
                for k in range(len(c)):
                    d = c[k] - around
                    s += d
                    q += d * d
                total += s
                squares += q
            off, square = np.float32(total) * share_of, np.float32(squares) * share_of
            scale = ONE / np.sqrt(max(square - off * off, ZERO) + least)
            level = -off * scale
            stats[row, 0], stats[row, 1], stats[row, 2] = around, level, scale
            for k in range(len(a)):
                z = (a[k] - around) * scale + level
                b[k] = z * gamma[k] + beta[k]


@kernel
def layer_norm_backward(
    queue: Array, dy: Array, x: Array, dx: Array, gamma: Array, stats: Array, bounds: Array,
    scratch: Array, sums: Array,
) -> None:  # fmt: skip
    """Write dx, and ``Σ dy · x̂`` and ``Σ dy`` over the rows of each block.

    dx = (h - mean(h) - x̂ · mean(h · x̂)) / √(σ² + ε)  with h = γ · dy
    """
    m = len(gamma)
    for task in share(queue):
        moments, totals = scratch[task, 0], scratch[task, 1]
        moments[:] = 0
        totals[:] = 0
        for row in range(bounds[task], bounds[task + 1]):
            around, level, scale = stats[row, 0], stats[row, 1], stats[row, 2]
            first, total, along = row * m, WIDE, WIDE
            for at in range(0, m, TOGETHER):
                end = min(at + TOGETHER, m)
                a, da, g = x[first + at : first + end], dy[first + at : first + end], gamma[at:end]
                moment, sum_ = moments[at:end], totals[at:end]
                s, t = ZERO, ZERO
                for k in range(len(a)):
                    z = (a[k] - around) * scale + level
                    h = da[k] * g[k]
                    s += h
                    t += h * z
                    moment[k] += da[k] * z
                    sum_[k] += da[k]
                total += s
                along += t
            mean, slope = np.float32(total / m), np.float32(along / m)
            a, da, b = x[first : first + m], dy[first : first + m], dx[first : first + m]
            for k in range(len(a)):
                z = (a[k] - around) * scale + level
                b[k] = (da[k] * gamma[k] - mean - z * slope) * scale
        for k in range(m):
            sums[task, 0, k] = moments[k]
            sums[task, 1, k] = totals[k]
