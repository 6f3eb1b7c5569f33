r"""Sums over a batch as one pairwise tree: the same bits on any number of threads or processes.

The batch of N images is cut into C chunks, a power of two that depends on the layer alone. Chunk c
is the sum of images [c·N//C, (c+1)·N//C) from left to right, and neighbours are added in pairs:

    chunks   s0  s1  s2  s3          (s0 + s1) + (s2 + s3)
               \ /     \ /
                +       +
                 \     /
                    +

Where several processes (ranks) share the batch, each has neighbouring chunks that are a whole
subtree (`pellucid.distributed.Share`). A rank computes that subtree, and the rest of the tree is
added up over the ranks. So they give the same bits as one process with the whole batch. A kernel
does not cut the images itself: it takes the ``bounds`` (chunks + 1,), int64, of its rank's chunks
among its images, because neither C nor N tells where they lie. The rounding error grows with log C
instead of C.

This holds on three conditions. The sum of a chunk must depend neither on the other chunks nor on
the number of images at hand. An operation on the total must not round; otherwise it is applied to
each chunk before. And a kernel must not write a tree as one expression, ``(a + b) + (c + d)``,
because fast-math lets LLVM add in another order; `add_chunks` keeps every sum in memory.
"""

from __future__ import annotations

from ..distributed.share import CHUNKS, tree_sum
from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["add_chunks", "chunk_count", "tree_sum", "write_total"]

MANY = 16  # chunks: enough to balance the load of the threads
BYTES = 2**22  # of float32 partial sums; larger ones have as few chunks as the ranks need
BLOCK = 256  # numbers of each chunk that are added up while they are in the L1 cache


def chunk_count(numbers: int, least: int = CHUNKS) -> int:
    """Return the number of chunks of the whole batch for a sum of ``numbers`` float32.

    It is a multiple of ``least``, those that ranks can share (`pellucid.distributed.Share.chunks`).
    Both are powers of two.

    Examples
    --------
    >>> chunk_count(1000), chunk_count(200_000), chunk_count(1000, least=64)
    (16, 8, 64)
    """
    return max(least, MANY) if 4 * MANY * numbers <= BYTES else least


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


@kernel
def write_total(queue: Array, sums: Array, groups: int, total: Array) -> None:
    """Write the tree's sum of ``sums`` (chunks, numbers) to ``total``, as one task.

    Each of the ``groups`` has as many numbers, of which the first ones of ``total`` count.
    """
    for _ in share(queue):
        add_chunks(sums, 0, sums.shape[1])
        width, per_group = sums.shape[1] // groups, len(total) // groups
        for g in range(groups):
            for k in range(per_group):
                total[g * per_group + k] = sums[0, g * width + k]
