"""ReLU that keeps a mask of the numbers it set to zero: twin of `pellucid.ops.relu`, to the bit.

Flat arrays of one size, C-contiguous, in any layout; float32, and ``mask`` bool: one byte a number,
which backward reads instead of the output. Run with `pellucid.kernels.blocks.each`; a task is a
block, and writes that block and nothing else. The kernels are bound by memory bandwidth.
"""

from __future__ import annotations

import numpy as np

from ...typing import Array
from ..blocks import part, pieces
from ..jit import kernel
from ..pool.threads import share

__all__ = ["backward", "forward"]

ZERO = np.float32(0)


@kernel
def forward(queue: Array, x: Array, y: Array, mask: Array) -> None:
    """``y = max(0, x)``; ``mask = x ≤ 0``. A NaN stays NaN."""
    for block in share(queue):
        for piece in pieces(block, x):
            xs, ys, ms = part(x, piece), part(y, piece), part(mask, piece)
            for i in range(len(xs)):
                masked = xs[i] <= 0
                ys[i] = ZERO if masked else xs[i]
                ms[i] = masked


@kernel
def backward(queue: Array, dy: Array, mask: Array) -> None:
    """``dy = 0`` where ``mask`` is set, in place."""
    for block in share(queue):
        for piece in pieces(block, dy):
            dys, ms = part(dy, piece), part(mask, piece)
            for i in range(len(dys)):
                dys[i] = ZERO if ms[i] else dys[i]
