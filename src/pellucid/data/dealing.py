"""The batches of a data set, dealt out to processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from ..typing import Array
from .dataset import Dataset
from .loader import Loader

__all__ = ["DealtLoader", "in_order"]

T = TypeVar("T")


class DealtLoader(Loader):
    """Iterate over batches ``rank``, ``rank`` + ``size``, ... of a data set, in order.

    Parameters
    ----------
    dataset, batch_size, gather
        As for `Loader`. The batches of all ranks are those of a `Loader` of one process.
    rank, size : int
        The number of this process, and of all.

    Examples
    --------
    >>> five = Dataset.from_arrays(np.zeros((5, 1, 2, 2), np.uint8), np.arange(5))
    >>> for rank in range(2):
    ...     print([labels.tolist() for _, labels in DealtLoader(five, 2, rank=rank, size=2)])
    [[0, 1], [4]]
    [[2, 3]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 100,
        *,
        rank: int,
        size: int,
        gather: Callable[[Dataset, Array], tuple[Array, Array]] | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, gather=gather)
        self._rank, self._size = rank, size

    def _new_order(self, n: int, epoch: int) -> Array:
        order = np.arange(n)
        return order[order // self.batch_size % self._size == self._rank]


def in_order(dealt: Sequence[Sequence[T]]) -> list[T]:
    """Return what the ranks made of their batches, in the order of the batches.

    >>> in_order([["first", "third"], ["second"]])
    ['first', 'second', 'third']
    """
    size = len(dealt)
    return [dealt[k % size][k // size] for k in range(sum(map(len, dealt)))]
