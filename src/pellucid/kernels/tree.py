r"""Sums over a batch as one pairwise tree: the same bits on any number of threads or processes.

The batch of N images is cut into C chunks, a power of two that depends on the layer alone. Chunk c
is the sum of images [c·N//C, (c+1)·N//C) from left to right, and neighbours are added in pairs:

    chunks   s0  s1  s2  s3          (s0 + s1) + (s2 + s3)
               \ /     \ /
                +       +
                 \     /
                    +

R ranks (processes, perhaps on several machines) with N/R neighbouring images each cut them into C/R
chunks, where R is a power of two that divides C and N. Each rank computes a subtree, and `tree_sum`
of their results in order is the rest of the tree. So together they give the bits of one process
with the whole batch; `chunk_count` and `chunk_bounds` see to it. The rounding error grows with
log C in place of C.

Three things break this. A chunk's own sum must not depend on the other chunks, nor on the size of
the batch. What is done to the sum must not round, or be done to each chunk before. And a tree must
not be written as one expression in a kernel, ``(a + b) + (c + d)``, because fast-math lets LLVM add
in another order; `add_chunks` keeps every sum in memory.
"""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .jit import kernel

__all__ = ["FEWEST", "add_chunks", "chunk_bounds", "chunk_count", "fewest_chunks", "tree_sum"]

CHUNKS = (16, 8, 4)  # enough for threads to share out evenly
FEWEST = CHUNKS[-1]  # chunks of any sum, and so the most ranks that can share every layer
BYTES = 2**22  # of float32 partial sums, above which there are fewer chunks
BLOCK = 256  # numbers of each chunk that are added up while they are in the nearest cache


def chunk_count(numbers: int, ranks: int = 1) -> int:
    """Return into how many chunks each rank cuts its images for a sum of ``numbers`` float32.

    ``ranks`` processes share the batch; all of them together have as many chunks as one would.

    Raises
    ------
    ArgumentError
        If ``ranks`` is not a power of two that divides the number of chunks.

    Examples
    --------
    >>> chunk_count(1000), chunk_count(1000, ranks=4), chunk_count(200_000)
    (16, 4, 4)
    """
    chunks = next((count for count in CHUNKS if 4 * count * numbers <= BYTES), FEWEST)
    if ranks < 1 or chunks % ranks:
        raise ArgumentError(
            f"must be a power of two up to {chunks}, the chunks of a sum of {numbers} numbers, "
            f"received {ranks}.",
            where="ranks",
        )
    return chunks // ranks


def fewest_chunks(ranks: int = 1) -> int:
    """Return into how many chunks each rank cuts its images where more chunks would cost time.

    Raises
    ------
    ArgumentError
        If ``ranks`` is not a power of two that divides `FEWEST`.
    """
    return chunk_count(BYTES, ranks)


@kernel
def chunk_bounds(chunk: int, chunks: int, count: int) -> tuple[int, int]:
    """Return the first of the ``count`` images that are in a chunk, and the first after it."""
    return chunk * count // chunks, (chunk + 1) * count // chunks


@kernel
def add_chunks(sums: Array, first: int, last: int) -> None:
    """Write the tree's sum of ``sums[:, first:last]`` into ``sums[0, first:last]``.

    ``sums`` is (chunks, numbers), C-contiguous; the other rows hold partial sums afterwards.
    Threads may each take some of the columns.
    """
    for begin in range(first, last, BLOCK):
        end, step = min(begin + BLOCK, last), 1
        while step < len(sums):
            for chunk in range(0, len(sums) - step, 2 * step):
                left, right = sums[chunk, begin:end], sums[chunk + step, begin:end]
                for k in range(len(left)):
                    left[k] += right[k]
            step *= 2


def tree_sum(parts: Array) -> Array:
    """Return the sum over the first axis as a pairwise tree.

    Examples
    --------
    >>> parts = np.float32([1e8, 3, -1e8, 4])
    >>> float(tree_sum(parts)), float(((parts[0] + parts[1]) + parts[2]) + parts[3])
    (0.0, 4.0)
    """
    sums, step = np.array(parts), 1
    while step < len(sums):
        sums[: len(sums) - step : 2 * step] += sums[step :: 2 * step]
        step *= 2
    return np.asarray(sums[0])
