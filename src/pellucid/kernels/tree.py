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
of their results in order is the rest of the tree. So they give the same bits as one process with
the whole batch; `chunk_count` and `chunk_bounds` ensure it. The rounding error grows with log C
instead of C.

This holds on three conditions. The sum of a chunk must depend neither on the other chunks nor on
the size of the batch. An operation on the total must not round; otherwise it is applied to each
chunk before. And a kernel must not write a tree as one expression, ``(a + b) + (c + d)``, because
fast-math lets LLVM add in another order; `add_chunks` keeps every sum in memory.
"""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .jit import kernel

__all__ = ["FEWEST", "add_chunks", "chunk_bounds", "chunk_count", "fewest_chunks", "tree_sum"]

CHUNKS = (16, 8, 4)  # enough to balance the load of the threads
FEWEST = CHUNKS[-1]  # chunks of any sum, and so the largest number of ranks for every layer
BYTES = 2**22  # of float32 partial sums, above which there are fewer chunks
BLOCK = 256  # numbers of each chunk that are added up while they are in the L1 cache


def chunk_count(numbers: int, ranks: int = 1) -> int:
    """Return the number of chunks of each rank's images for a sum of ``numbers`` float32.

    ``ranks`` processes share the batch; their chunks add up to those of a single process.

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
    """Return the number of chunks of each rank's images where more chunks would cost time.

    Raises
    ------
    ArgumentError
        If ``ranks`` is not a power of two that divides `FEWEST`.
    """
    return chunk_count(BYTES, ranks)


@kernel
def chunk_bounds(chunk: int, chunks: int, count: int) -> tuple[int, int]:
    """Return the first of the ``count`` images in a chunk, and the first one after it."""
    return chunk * count // chunks, (chunk + 1) * count // chunks


@kernel
def add_chunks(sums: Array, first: int, last: int) -> None:
    """Write the tree's sum of ``sums[:, first:last]`` into ``sums[0, first:last]``.

    ``sums`` is (chunks, numbers), C-contiguous; its other rows are overwritten by partial sums.
    Threads may share the columns.
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
