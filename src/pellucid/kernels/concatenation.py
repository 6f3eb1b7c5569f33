"""Channels that are joined, or taken apart again: the twin of NumPy's concatenation.

    whole[p, places[q] : places[q+1]] = parts[q][p, :]    for every pixel p, or the reverse

Flat float32 arrays, channels-last, C-contiguous, allocated by the engine. A task is a block of
``per`` pixels, and writes to these only. All parts of a pixel are copied before the next pixel, so
that the whole is written, or read, from beginning to end. The parts travel as a tuple, and each
length of it is another kernel to compile: not more than `MOST`.
"""

from __future__ import annotations

from typing import Any

from ..typing import Array
from .jit import LANES, inlined, kernel
from .pool.threads import share
from .simd import load_first, store_first

__all__ = ["MOST", "copy_parts"]

MOST = 4
TOGETHER = 4  # vectors
WIDE = TOGETHER * LANES


@kernel
def copy_parts(
    queue: Array, parts: tuple[Array, ...], places: Array, whole: Array, width: int, join: bool,
    per: int,
) -> None:  # fmt: skip
    """Copy the parts into the ``whole``, which has ``width`` channels, or (not ``join``) back."""
    for task in share(queue):
        for p in range(task * per, min(whole.size // width, (task + 1) * per)):
            for q in range(len(parts)):
                n, part = places[q + 1] - places[q], parts[q]
                here, there, many = p * n, p * width + places[q], n - n % WIDE
                if join:
                    _copy(TOGETHER, WIDE, part, here, whole, there, (0, many))
                    _copy(1, min(n, LANES), part, here, whole, there, (many, n))
                else:
                    _copy(TOGETHER, WIDE, whole, there, part, here, (0, many))
                    _copy(1, min(n, LANES), whole, there, part, here, (many, n))


@inlined
def _copy(vectors: int, count: int, x: Array, i: int, y: Array, j: int, channels: Any) -> None:
    """Copy some channels of a pixel, ``count`` at a time; the last ones overlap those before."""
    begin, end = channels
    while begin < end:  # a range would divide
        k = min(begin, end - count)
        store_first(load_first(vectors, x, i + k, count), y, j + k, 0, count)
        begin += count
