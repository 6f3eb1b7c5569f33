"""ReLU that notes where it stopped its input: twin of `pellucid.ops.relu`, to the bit.

Flat arrays of one size, C-contiguous, in any layout; float32, and ``mask`` bool: a byte a number,
which the way back reads instead of the output. Run with `pellucid.kernels.blocks.each`; a task is a
block, and writes that block and nothing else. How fast memory is decides.
"""

from __future__ import annotations

import numpy as np

from ...typing import Array
from ..blocks import part
from ..jit import kernel
from ..pool.threads import share

__all__ = ["rectify", "stop"]

ZERO = np.float32(0)


@kernel
def rectify(queue: Array, x: Array, y: Array, mask: Array) -> None:
    """``y = max(0, x)``; ``mask`` where ``x ≤ 0``. A NaN passes."""
    for block in share(queue):
        xs, ys, ms = part(x, block), part(y, block), part(mask, block)
        for i in range(len(xs)):
            stopped = xs[i] <= 0
            ys[i] = ZERO if stopped else xs[i]
            ms[i] = stopped


@kernel
def stop(queue: Array, dy: Array, mask: Array) -> None:
    """``dy = 0`` where ``mask`` is set, in place."""
    for block in share(queue):
        dys, ms = part(dy, block), part(mask, block)
        for i in range(len(dys)):
            dys[i] = ZERO if ms[i] else dys[i]
