"""Gather images into a batch of float32: the twin of `pellucid.data.Dataset.batch`, to the bit.

Images (N, cells) in C order, uint8 or float32; ``x`` (B, cells) float32, allocated by the engine. A
task is a run of rows of ``x``.

The quotient of two float32 numbers is never within 2^-49, relative, of the middle between two
float32 numbers. So rounding it to float64 and then to float32 gives the same as rounding it once
(Figueroa 1995, "When is double rounding innocuous?"), and so does the product with the reciprocal
in float64, whose error is 2^-52; it is faster than a division.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["gather"]


@kernel
def gather(queue: Array, images: Array, chosen: Array, scale: float, x: Array, tasks: int) -> None:
    """``x[n] = images[chosen[n]] · scale``; negative indices count from the end."""
    count = len(chosen)
    for task in share(queue):
        for n in range(task * count // tasks, (task + 1) * count // tasks):
            cells, xs = images[chosen[n]], x[n]
            for i in range(len(cells)):
                xs[i] = np.float32(np.float64(cells[i]) * scale)
