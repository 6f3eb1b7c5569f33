"""Elementwise kernels: a flat array in blocks of one size, each of which is a task.

    @kernel
    def double(queue, x, y):
        for block in share(queue):
            for piece in pieces(block, x):
                xs, ys = part(x, piece), part(y, piece)
                for i in range(len(xs)):
                    ys[i] = 2 * xs[i]

    each(double, x, y)

LLVM vectorises such a loop because a part begins at index 0. An index that the compiler cannot
prove to be nonnegative may count from the end, and Numba checks every one of them: Adam's step took
four times as long.

A block is computed in pieces, and with each piece a later one is fetched. By itself the processor
does not look far ahead, and not beyond a page: arrays that no cache holds take 5 to 20 % longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..typing import Array
from .jit import inlined, kernel
from .pool.threads import run
from .simd import prefetch_row

__all__ = ["BLOCK", "CLOSE", "LINE", "blocks", "each", "fetch_ahead", "part", "pieces"]

BLOCK = 2**13  # numbers: a few µs, the time that a thread which is awake takes to begin
PIECE = 2**7  # numbers: few enough that a core has all their cache lines under way at once
PIECES = BLOCK // PIECE
AHEAD = 2**11  # numbers between those that are read and those that are fetched: 8 KB
CLOSE = 2**9
LINE = 16  # numbers in a cache line


def blocks(size: int) -> int:
    """Return the number of blocks that ``size`` numbers take."""
    return -(-size // BLOCK)


@inlined
def pieces(block: int, a: Array) -> Any:
    """Return the numbers of a block's pieces; the last block of the flat array may have fewer."""
    return range(block * PIECES, min((block + 1) * PIECES, -(-a.size // PIECE)))


@kernel
def part(a: Array, piece: int) -> Array:
    """Return a piece of the flat array ``a``, and fetch a later one; the last may be shorter."""
    at = piece * PIECE
    for k in range(at + CLOSE, at + CLOSE + PIECE, LINE):
        prefetch_row(1, a, k)
    return a[at : at + PIECE]


@inlined
def fetch_ahead(a: Array, begin: int, end: int, ahead: int = AHEAD) -> None:
    """Fetch what will be read soon after ``a[begin:end]``; there may be no such numbers.

    A load whose mask depends on another number waits for that one, and so does its cache miss. With
    more than two arrays, which often lie at the same places of a page and so compete for the same
    places of the nearest cache, fewer numbers ahead (`CLOSE`) are better.
    """
    for k in range(begin + ahead, end + ahead, LINE):
        prefetch_row(1, a, k)


def each(function: Callable[..., Any], first: Array, *rest: Any) -> None:
    """Run a kernel over the blocks of its arrays, which are C-contiguous and of one size.

    Other arguments are passed on as they are.
    """
    flat = [a.ravel() if type(a) is np.ndarray else a for a in rest]  # a view, being contiguous
    run(function, blocks(first.size), first.ravel(), *flat)
