r"""Which images of a batch a process computes, and sums over the whole batch as one tree.

A batch of N images is cut into K chunks, chunk c from image c·N//K on, and every sum over the
images is a pairwise tree over chunks (`pellucid.kernels.tree`). A rank has neighbouring chunks that
are a whole subtree. So it computes one node of the tree, and the rest of the tree is added up over
the nodes of all ranks: the same additions in the same order as by one process.

    chunks  0   1   2   3   4   5   6   7
             \ /     \ /     \ /     \ /
              +       +       +       +            3 ranks: 0-3 | 4-5 | 6-7
               \     /         \     /
                  +               +
                   \             /
                          +
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .communicator import Communicator, Solo

__all__ = ["CHUNKS", "Share", "chunks_of_ranks", "joined", "tree_sum"]

IN_PAIRS_FROM = 32  # ranks; fewer gather all parts at once, in one call
SUMS = 2  # the channel of these messages
CHUNKS = 8  # of a batch at least, and so the most ranks that can share one by default


class Share:
    """The chunks ``first`` to ``last`` of ``chunks`` of every batch: those of this rank.

    Parameters
    ----------
    communicator : Communicator
    chunks : int
        K, a power of two, at least the number of ranks.

    Attributes
    ----------
    first, last : int
        The chunks of this rank, the end excluded.
    images : int
        N, of the whole batch at hand; see `begin`.
    own : int
        How many of them are this rank's.

    Raises
    ------
    ArgumentError
        If K is not a power of two, or there are more ranks.

    Examples
    --------
    >>> share = Share(Solo(), 8)
    >>> share.begin(10)
    slice(0, 10, None)
    >>> share.bounds(8)
    array([ 0,  1,  2,  3,  5,  6,  7,  8, 10])
    >>> share.total(np.float32([1e8, 3, -1e8, 4, 0, 0, 0, 0]))
    array(0., dtype=float32)
    """

    def __init__(self, communicator: Communicator | None = None, chunks: int = CHUNKS) -> None:
        self.communicator: Communicator = communicator or Solo()
        self.chunks = chunks
        self.nodes = chunks_of_ranks(self.communicator.size, chunks)
        self.first, self.last = self.nodes[self.communicator.rank]
        self.images = self.own = 0

    @property
    def alone(self) -> bool:
        """Whether there is one rank, which computes the whole batch."""
        return self.communicator.size == 1

    @property
    def usual(self) -> bool:
        """Whether there is one rank, with the usual number of chunks."""
        return self.alone and self.chunks == CHUNKS

    def begin(self, images: int) -> slice:
        """Turn to a batch of this number of images; return which of them are this rank's."""
        mine = self.part(images)
        self.images, self.own = images, mine.stop - mine.start
        return mine

    def part(self, images: int) -> slice:
        """Return which images of a batch of this number are this rank's."""
        return slice(self.first * images // self.chunks, self.last * images // self.chunks)

    def largest(self, images: int) -> int:
        """Return the most images that this rank has of any batch of up to ``images``."""
        return -(-images * (self.last - self.first) // self.chunks)

    def enough(self, chunks: int, images: int) -> int:
        """Return how many of ``chunks`` do for batches of up to ``images``.

        Chunks of an image each, and none between them without an image, make the same tree, to
        which the empty ones would add zeros. Several ranks need one each.
        """
        least = 1 if self.alone else self.chunks
        return min(chunks, max(least, 1 << max(0, images - 1).bit_length()))

    def bounds(self, chunks: int) -> Array:
        """Return where this rank's chunks begin among its own images, and the end of the last one.

        ``chunks``, of the whole batch, is a multiple of `Share.chunks`, or `enough`.

        Returns
        -------
        int64 array (chunks of this rank + 1,)
        """
        return _bounds(self.images, chunks, self.first, self.last, self.chunks)

    def count(self, chunks: int) -> int:
        """Return how many of ``chunks`` of the whole batch are this rank's."""
        return chunks * (self.last - self.first) // self.chunks

    def total(self, parts: Array) -> Array:
        """Return the sum over the whole batch of ``parts`` (this rank's chunks, ...).

        All ranks call it, and get the same bits.
        """
        part = tree_sum(parts)
        if self.alone:
            return part
        if self.communicator.size >= IN_PAIRS_FROM and self._is_even:
            return self._in_pairs(part)
        return np.asarray(joined(list(self.communicator.collect(part)), self.nodes))

    @property
    def _is_even(self) -> bool:
        """Whether all ranks have equally large nodes of the tree."""
        return self.communicator.size & (self.communicator.size - 1) == 0

    def _in_pairs(self, part: Array) -> Array:
        """Add up the rest of the tree level by level: in log2 n messages, each of one part."""
        rank, step = self.communicator.rank, 1
        nothing = np.empty(0, part.dtype)
        while step < self.communicator.size:
            other, partner = np.empty_like(part), rank ^ step
            sent, received = ([nothing] * self.communicator.size for _ in range(2))
            sent[partner], received[partner] = part, other
            self.communicator.exchange(sent, received, SUMS).wait()
            part = np.asarray(part + other if rank < partner else other + part)
            step *= 2
        return part


def chunks_of_ranks(ranks: int, chunks: int = CHUNKS) -> list[tuple[int, int]]:
    """Return the chunks (first, last) of each rank: a subtree each, as equal as that allows.

    Raises
    ------
    ArgumentError
        If ``chunks`` is not a power of two, or less than the number of ranks.

    Examples
    --------
    >>> chunks_of_ranks(4), chunks_of_ranks(3)
    ([(0, 2), (2, 4), (4, 6), (6, 8)], [(0, 4), (4, 6), (6, 8)])
    """
    if chunks < 1 or chunks & (chunks - 1):
        raise ArgumentError(f"must be a power of two, received {chunks}.", where="chunks")
    if ranks > chunks:
        raise ArgumentError(
            f"must be at least the number of ranks, {ranks}; received {chunks}. Each rank takes "
            f"one chunk of a batch or more: use {{chunks}}, from the first step on.",
            where="chunks",
            arguments={"chunks": 1 << (ranks - 1).bit_length()},
        )
    nodes = [(0, chunks)]
    while len(nodes) < ranks:  # halve the last of the largest
        size = max(last - first for first, last in nodes)
        k = max(k for k, (first, last) in enumerate(nodes) if last - first == size)
        first, last = nodes[k]
        nodes[k : k + 1] = [(first, (first + last) // 2), ((first + last) // 2, last)]
    return nodes


def joined(parts: list[Any], nodes: list[tuple[int, int]]) -> Any:
    """Return the sum of the ranks' ``parts``, each the sum of a node, as the rest of the tree.

    They are arrays, or anything that ``+`` adds up.

    >>> parts = [np.float32(1e8), np.float32(-1e8), np.float32(4)]
    >>> float(joined(parts, chunks_of_ranks(3))), float((parts[0] + parts[1]) + parts[2])
    (0.0, 4.0)
    """
    found = dict(zip(nodes, parts, strict=True))

    def node(first: int, last: int) -> Any:
        if (first, last) in found:
            return found[first, last]
        middle = (first + last) // 2
        return node(first, middle) + node(middle, last)

    return node(0, nodes[-1][1])


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


@lru_cache(maxsize=256)
def _bounds(images: int, chunks: int, first: int, last: int, of: int) -> Array:
    edges = np.arange(first * chunks // of, last * chunks // of + 1) * images // chunks
    edges -= edges[0]  # writable, or Numba would compile every kernel for other arrays too
    return edges
