"""What batch normalisation computes once a batch for each channel, between two passes.

Few numbers, but NumPy takes 50 to 100 µs for them, while all threads wait: a third of a small
layer's step. One thread, float64, except for the *rows* of `pellucid.kernels.normalization`, which
are float32: C numbers, repeated. ``kept`` (3, C) are 1 / √(σ² + ε), the rounding error of the mean
as a float32, and γ / √(σ² + ε).
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel

__all__ = ["chunk_gradients", "rows_of_gradients", "rows_of_moments"]


@kernel
def rows_of_moments(
    mean: Array, var: Array, gamma: Array, beta: Array, eps: float, kept: Array, rows: Array
) -> None:
    """Write the rows with which `normalization.batch_norm` normalises, and what backward needs."""
    for i in range(len(mean)):
        around = np.float32(mean[i])
        off, inverse = np.float64(around) - mean[i], 1 / np.sqrt(var[i] + eps)
        scale = gamma[i] * inverse
        kept[0, i], kept[1, i], kept[2, i] = inverse, off, scale
        rows[0, i], rows[1, i], rows[2, i] = around, scale, beta[i] + off * scale
    _repeat(rows, 0, 3, len(mean))


@kernel
def chunk_gradients(sums: Array, firsts: Array, kept: Array, out: Array) -> None:
    """Write the gradients of γ and β, (chunks, 2, C), from each block's Σ dz and Σ dz·(x - around).

    The blocks of a chunk, from ``firsts`` (chunks + 1,) on, are added in order.
    """
    out[:] = 0
    for chunk in range(len(out)):
        own = out[chunk]
        for block in range(firsts[chunk], firsts[chunk + 1]):
            for i in range(own.shape[1]):
                own[1, i] += sums[block, 0, i]
                own[0, i] += sums[block, 1, i]
        for i in range(own.shape[1]):
            own[0, i] = kept[0, i] * (own[0, i] + kept[1, i] * own[1, i])


@kernel
def rows_of_gradients(total: Array, numbers: int, kept: Array, rows: Array) -> None:
    """Write the rows ``slope`` and ``level`` of `normalization.batch_gradient`.

    ``total`` (2, C) are the gradients of γ and β over a batch of ``numbers`` a channel:
    dx = scale · (dz - mean(dz) - x̂ · mean(dz · x̂)).
    """
    for i in range(total.shape[1]):
        inverse, off = kept[0, i], kept[1, i]
        mean = kept[2, i] / numbers
        slope = -mean * total[0, i] * inverse
        rows[3, i], rows[4, i] = slope, slope * off - mean * total[1, i]
    _repeat(rows, 3, 5, total.shape[1])


@kernel
def _repeat(rows: Array, first: int, last: int, c: int) -> None:
    """Repeat the first ``c`` numbers of some rows until their ends."""
    for row in rows[first:last]:
        for i in range(c, len(row)):
            row[i] = row[i - c]
