"""Max pooling: the twin of `pellucid.ops.max_pool2d`, to the bit.

Layout (N, C, H, W), float32, C-contiguous; ``arg`` holds which cell of its window won, u·FW + v.
Parallel over images. Padding never wins, since no padding is read; a NaN always does.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel, parallel_kernel, prange

__all__ = ["max_backward", "max_forward"]

Pair = tuple[int, int]


@kernel
def _pool_plane(
    x: Array, y: Array, arg: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    (fh, fw), (sh, sw), (top, left), (dh, dw) = window, stride, padding, dilation
    (h, w), (oh, ow) = x.shape, y.shape
    for i in range(oh):
        for j in range(ow):
            y[i, j] = -np.inf
            arg[i, j] = -1
        for u in range(fh):
            row = sh * i + dh * u - top
            if row < 0 or row >= h:
                continue
            for v in range(fw):
                first, k = dw * v - left, np.int32(u * fw + v)
                low = max(0, (sw - 1 - first) // sw)
                high = min(ow, (w - 1 - first) // sw + 1)
                for j in range(low, high):
                    z, m = x[row, sw * j + first], y[i, j]
                    wins = (z > m) | (arg[i, j] < 0) | ((z != z) & (m == m))
                    y[i, j] = z if wins else m
                    arg[i, j] = k if wins else arg[i, j]


@parallel_kernel
def max_forward(
    x: Array, y: Array, arg: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """Write the maxima of ``x`` and their places; ``padding`` is that above and to the left."""
    for n in prange(len(x)):
        for c in range(x.shape[1]):
            _pool_plane(x[n, c], y[n, c], arg[n, c], window, stride, padding, dilation)


@parallel_kernel
def max_backward(
    dy: Array, arg: Array, dx: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """Send each ``dy`` to the cell of ``dx`` that won."""
    for n in prange(len(dy)):
        for c in range(dy.shape[1]):
            _unpool_plane(dy[n, c], arg[n, c], dx[n, c], window, stride, padding, dilation)


@kernel
def _unpool_plane(
    dy: Array, arg: Array, dx: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    (_, fw), (sh, sw), (top, left), (dh, dw) = window, stride, padding, dilation
    dx[:] = 0
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            u, v = arg[i, j] // fw, arg[i, j] % fw
            dx[sh * i + dh * u - top, sw * j + dw * v - left] += dy[i, j]
