"""Max pooling of 2x2 windows with stride 2, the usual ones: twin of `pellucid.ops.max_pool2d`.

For these windows it takes a third of the time of `pellucid.kernels.pooling`, with the same result:
no window overlaps another, so that each of the four cells has a line of its own, and backward goes
from a window to its cells.

Images are channels-last, (N, H, W, C), float32, C-contiguous, allocated by the caller. Where H or W
is odd, the last row or column belongs to no window. ``argmax`` (N·OH·OW·C,) holds a byte for each
output: which cell of its window is the largest, the first of equals; 0 and 1 in the upper row, 2
and 3 in the lower. A NaN counts as the largest. A task is a band of ``per`` rows of windows,
counted through all images, and writes to its own rows only.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import LANES, kernel
from .pool.threads import share
from .simd import keep_larger, load_bytes, load_part, store_bytes, store_part, where_equal, zeros

__all__ = ["backward", "forward"]

ZERO, ONE, TWO, THREE = np.float32(0), np.float32(1), np.float32(2), np.float32(3)


@kernel
def forward(queue: Array, x: Array, y: Array, argmax: Array, per: int) -> None:
    """Write the largest cell of each window to ``y``, and which one it was to ``argmax``."""
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    xs, ys, line, left_over = x.reshape(x.size), y.reshape(y.size), w * c, h - 2 * oh
    for task in share(queue):
        begin, end = task * per, min(images * oh, (task + 1) * per)
        image = begin // oh
        top, last = (2 * begin + image * left_over) * line, (image + 1) * oh - 1
        for row in range(begin, end):
            for j in range(ow):
                first, to = top + 2 * j * c, (row * ow + j) * c
                for k in range(0, c, LANES):
                    at, out, count = first + k, to + k, min(LANES, c - k)
                    m, a = load_part(xs, at, count), zeros(1, 1)
                    m, a = keep_larger(m, a, load_part(xs, at + c, count), ONE)
                    m, a = keep_larger(m, a, load_part(xs, at + line, count), TWO)
                    m, a = keep_larger(m, a, load_part(xs, at + line + c, count), THREE)
                    store_part(m, ys, out, count)
                    store_bytes(a, argmax, out, 0, count)
            top += 2 * line
            if row == last:  # a division for each row would take longer
                top, last = top + left_over * line, last + oh


@kernel
def backward(queue: Array, dy: Array, argmax: Array, dx: Array, per: int) -> None:
    """Write ``dy`` to the argmax of each window, and 0 to its other cells.

    A row or column that belongs to no window stays as it is: clearing it here would slow down the
    loop for all images.
    """
    (_, oh, ow, _), (images, h, w, c) = dy.shape, dx.shape
    dys, dxs, line, left_over = dy.reshape(dy.size), dx.reshape(dx.size), w * c, h - 2 * oh
    for task in share(queue):
        begin, end = task * per, min(images * oh, (task + 1) * per)
        image = begin // oh
        top, last = (2 * begin + image * left_over) * line, (image + 1) * oh - 1
        for row in range(begin, end):
            for j in range(ow):
                first, to = top + 2 * j * c, (row * ow + j) * c
                for k in range(0, c, LANES):
                    at, out, count = first + k, to + k, min(LANES, c - k)
                    d, a = load_part(dys, out, count), load_bytes(argmax, out, count)
                    store_part(where_equal(d, a, ZERO), dxs, at, count)
                    store_part(where_equal(d, a, ONE), dxs, at + c, count)
                    store_part(where_equal(d, a, TWO), dxs, at + line, count)
                    store_part(where_equal(d, a, THREE), dxs, at + line + c, count)
            top += 2 * line
            if row == last:
                top, last = top + left_over * line, last + oh
