"""Images become numbers: the twin of `pellucid.data.Dataset.batch`, to the bit.

Images (N, cells) in C order, uint8 or float32; ``x`` (B, cells) float32, allocated by the engine. A
task is a run of rows of ``x``.

The quotient of two float32 numbers, rounded to float64 and then to float32, is the quotient rounded
once (Figueroa 1995, "When is double rounding innocuous?"): it is never within 2^-49 of halfway
between two float32 numbers. The product with the reciprocal in float64 is off by 2^-52, and is as
good; a division takes longer.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["gather"]


@kernel
def gather(queue: Array, images: Array, chosen: Array, scale: float, x: Array, tasks: int) -> None:
    """``x[n] = images[chosen[n]] · scale``; numbers below 0 count from the end."""
    count = len(chosen)
    for task in share(queue):
        for n in range(task * count // tasks, (task + 1) * count // tasks):
            cells, xs = images[chosen[n]], x[n]
            for i in range(len(cells)):
                xs[i] = np.float32(np.float64(cells[i]) * scale)
