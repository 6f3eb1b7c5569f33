"""Which gradients travel together, and which rank adds up and updates which part of them.

A bucket is a run of neighbouring parameters in a plan's flat arrays. It is sent as soon as the last
of its gradients is there, while the layers before compute theirs. Each is cut into slices, one for
a rank: a rank adds up its slice of all ranks' gradients and updates these weights, and so keeps
that part of the optimizer's memory only. Rajbhandari et al. 2020, "ZeRO: memory optimizations
toward training trillion parameter models", section 5; buckets: Li et al. 2020, "PyTorch
distributed", section 3.2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..optim.clipping import BLOCK

__all__ = ["BYTES", "FIRST", "Bucket", "buckets_of", "ready_after"]

BYTES = 2**20  # of a bucket, from which on it gets no further layer
FIRST = 2**16  # of the first one, which should be on its way early


class Bucket(NamedTuple):
    """Neighbouring parameters, all frozen or none.

    Attributes
    ----------
    first, last : int
        Numbers of the parameters, the end excluded.
    after : int
        The number of the step of the plan whose backward completes the gradients.
    frozen : bool
        If so, they are neither sent nor updated; what is kept for them stays with its ranks.
    cuts : tuple of int
        Rank r has the numbers from ``cuts[r]`` to ``cuts[r + 1]`` of the flat array.
    """

    first: int
    last: int
    after: int
    frozen: bool
    cuts: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """The size of its gradients."""
        return 4 * (self.cuts[-1] - self.cuts[0])

    @property
    def whole(self) -> slice:
        """The part of the flat array that all ranks have together."""
        return slice(self.cuts[0], self.cuts[-1])

    def slice(self, rank: int) -> slice:
        """Return the part of the flat array that is a rank's."""
        return slice(self.cuts[rank], self.cuts[rank + 1])


def buckets_of(
    starts: Sequence[int],
    sizes: Sequence[int],
    after: Sequence[int],
    frozen: Sequence[bool],
    ranks: int,
    most: int = BYTES,
    first: int = FIRST,
) -> list[Bucket]:
    """Return the buckets of all parameters, in the order in which their gradients are complete.

    Parameters
    ----------
    starts, sizes : sequence of int
        Of each parameter in the flat array, in order.
    after : sequence of int
        The number of the step that makes each gradient; backward runs them from the last.
    frozen : sequence of bool
    ranks : int
    most, first : int
        Bytes after which a bucket, or that with the last parameters, is full.

    Examples
    --------
    A layer of 300 and one of 40 numbers, for two ranks:

    >>> for bucket in buckets_of([0, 304], [300, 40], [1, 3], [False, False], 2, first=0):
    ...     print(bucket)
    Bucket(first=1, last=2, after=3, frozen=False, cuts=(304, 304, 344))
    Bucket(first=0, last=1, after=1, frozen=False, cuts=(0, 0, 300))
    """
    runs: list[tuple[int, int]] = []
    k = len(starts)
    while k:  # from the last; what one step makes goes together
        end = k
        while k and (after[k - 1], frozen[k - 1]) == (after[end - 1], frozen[end - 1]):
            k -= 1
        full = most if len(runs) > 1 else first
        if runs:
            begin, stop = runs[-1]
            length = 4 * (starts[stop - 1] + sizes[stop - 1] - starts[begin])
            if frozen[begin] == frozen[k] and length < full:
                runs[-1] = k, stop
                continue
        runs.append((k, end))
    found = [
        Bucket(
            begin, end, min(after[begin:end]), bool(frozen[begin]),
            _cuts(starts[begin:end], sizes[begin:end], ranks),
        )
        for begin, end in runs
    ]  # fmt: skip
    return sorted(found, key=lambda bucket: -bucket.after)


def ready_after(steps: Sequence[Sequence[object]], parameters: Sequence[object]) -> list[int]:
    """Return the number of the step that makes each parameter's gradient; -1 if none does.

    Parameters
    ----------
    steps : sequence of list of Parameter
        The parameters of each step.
    parameters : sequence of Parameter
    """
    number = {id(p): k for k, step in enumerate(steps) for p in step}
    return [number.get(id(p), -1) for p in parameters]


def _cuts(starts: Sequence[int], sizes: Sequence[int], ranks: int) -> tuple[int, ...]:
    """Return slices as equal as whole blocks of each parameter allow."""
    blocks = [
        np.arange(start, start + size, BLOCK) for start, size in zip(starts, sizes, strict=True)
    ]
    begin, end = starts[0], starts[-1] + sizes[-1]
    edges = np.append(np.concatenate(blocks), end)
    wanted = begin + np.arange(1, ranks) * (end - begin) / ranks
    middles = (edges[1:] + edges[:-1]) / 2
    inner = edges[np.searchsorted(middles, wanted)]
    return (begin, *inner.tolist(), end)
