"""Mean and variance of a batch, over all processes that share it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...distributed import Share
from ...distributed.share import joined
from ...kernels.normalization import combine
from ...typing import Array

__all__ = ["batch_moments"]

PAIR = np.arange(3)


def batch_moments(
    share: Share, pixels: int, sums: Array, numbers: Array, firsts: Array
) -> tuple[Array, Array]:
    """Return mean and variance of each channel over the whole batch, float64 (C,).

    All processes call it, with one message, and get the same bits.

    Parameters
    ----------
    share : Share
    pixels : int
        Of an image.
    sums, numbers, firsts : array
        Of this process's blocks: see `pellucid.kernels.normalization.combine`.
    """
    own = np.empty((len(firsts) - 1, *sums.shape[1:]))
    combine(sums, numbers, firsts, own)
    whole = own[0]
    if not share.alone:
        images = [b * share.images // share.chunks for _, b in share.nodes]
        counts = np.diff([0, *images]) * float(pixels)
        parts = share.communicator.collect(whole)
        nodes = [_Node(n, part) for n, part in zip(counts, parts, strict=True)]
        whole = joined(nodes, share.nodes).moments
    mean, squares = whole
    return mean, squares / (share.images * pixels)


class _Node(NamedTuple):
    """The mean of ``numbers``, and the sum of squared deviations from it: ``moments`` (2, C)."""

    numbers: float
    moments: Array

    def __add__(self, other: _Node) -> _Node:  # type: ignore[override]
        """Return those of both, by the kernel that combined the chunks: the same bits."""
        sums, out = np.stack([self.moments, other.moments]), np.empty((2, *self.moments.shape))
        combine(sums, np.array([self.numbers, other.numbers]), PAIR, out)
        return _Node(self.numbers + other.numbers, out[0])
