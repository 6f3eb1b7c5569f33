"""How a flat array is shared out: in blocks of one size, each the task of whoever takes it.

    @kernel
    def double(queue, x, y):
        for block in share(queue):
            xs, ys = part(x, block), part(y, block)
            for i in range(len(xs)):
                ys[i] = 2 * xs[i]

    each(double, x, y)

What must be so for LLVM to turn such a loop into vector instructions: a part begins at index 0 (an
index that a compiler takes for perhaps negative might count from the end, and Numba asks about
each: Adam's step took four times as long).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import run

__all__ = ["BLOCK", "blocks", "each", "part"]

BLOCK = 2**13  # numbers: a few µs, as long as it takes a thread that is awake to begin


def blocks(size: int) -> int:
    """Return how many blocks ``size`` numbers are."""
    return -(-size // BLOCK)


@kernel
def part(a: Array, block: int) -> Array:
    """Return a block of the flat array ``a``; the last one has the rest."""
    return a[block * BLOCK : (block + 1) * BLOCK]


def each(function: Callable[..., Any], first: Array, *rest: Any) -> None:
    """Run a kernel over the blocks of its arrays, C-contiguous and of one size; numbers pass."""
    flat = [a.ravel() if type(a) is np.ndarray else a for a in rest]  # a view, being contiguous
    run(function, blocks(first.size), first.ravel(), *flat)
