"""The messages of a step: partial gradients to the ranks that add them up, new weights to all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..distributed import Communicator, Pending
from ..typing import Array
from .buckets import Bucket

__all__ = ["BucketTime", "Exchange", "TimeSplit", "additions"]

Add = Callable[[Array, Array, Array], None]


@dataclass
class BucketTime:
    """When a bucket's gradients travelled, in seconds since the backward began.

    Attributes
    ----------
    bytes : int
    ready : float
        When this rank had its gradients.
    done : float
        When this rank had added up its slice.
    """

    bytes: int
    ready: float = 0.0
    done: float = 0.0


@dataclass
class TimeSplit:
    """What a step's backward and update took, in seconds.

    Attributes
    ----------
    backward : float
        The layers' own backward.
    sending : float
        Handing messages over, and adding up what has come, during and after the backward.
    waiting : float
        For gradients after the backward, and for weights after the update: what no computation
        covered.
    updating : float
        The optimizer's step.
    buckets : list of BucketTime
    """

    backward: float = 0.0
    sending: float = 0.0
    waiting: float = 0.0
    updating: float = 0.0
    buckets: list[BucketTime] = field(default_factory=list)


def additions(nodes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the additions that `pellucid.distributed.share.joined` does, in place and in order.

    Each pair (a, b) adds part b to part a; the sum is then in part 0.

    >>> additions([(0, 4), (4, 6), (6, 8)])
    [(1, 2), (0, 1)]
    """
    number = {node: k for k, node in enumerate(nodes)}
    pairs: list[tuple[int, int]] = []

    def node(first: int, last: int) -> int:
        if (first, last) in number:
            return number[first, last]
        middle = (first + last) // 2
        left, right = node(first, middle), node(middle, last)
        pairs.append((left, right))
        return left

    node(0, nodes[-1][1])
    return pairs


class Exchange:
    """The buckets' messages: each rank begins them in the same order, as its backward goes on."""

    def __init__(
        self,
        communicator: Communicator,
        nodes: Sequence[tuple[int, int]],
        buckets: Sequence[Bucket],
        zeros: Callable[[int], Array],
        add: Add,
    ) -> None:
        self._world, self._add, self._pairs = communicator, add, additions(nodes)
        rank, size = communicator.rank, communicator.size
        self.buckets = [bucket for bucket in buckets if not bucket.frozen]
        self._received: list[list[Array]] = []
        for bucket in self.buckets:
            mine = bucket.slice(rank)
            length = mine.stop - mine.start
            self._received.append([zeros(length) if k != rank else zeros(0) for k in range(size)])
        self._begun = 0
        self._flying: list[tuple[int, Pending]] = []
        self.times = TimeSplit(buckets=[BucketTime(b.bytes) for b in self.buckets])
        self._started = 0.0

    def begin(self, gradients: Array) -> None:
        """Prepare for a backward that writes ``gradients``."""
        self._begun, self._flying, self._gradients = 0, [], gradients
        times, rank = self.times, self._world.rank
        times.sending = times.waiting = times.updating = 0.0
        for bucket, received in zip(self.buckets, self._received, strict=True):
            received[rank] = gradients[bucket.slice(rank)]
        self._started = time.perf_counter()

    def after(self, step: int) -> None:
        """Send the buckets that are complete after this step, and look for those of others."""
        begin = time.perf_counter()
        while self._begun < len(self.buckets) and self.buckets[self._begun].after >= step:
            self._send()
        self._look()
        self.times.sending += time.perf_counter() - begin

    def finish(self) -> None:
        """Send the rest; return when this rank's slices are those of the whole batch."""
        begin = time.perf_counter()
        self.times.backward = begin - self._started - self.times.sending
        while self._begun < len(self.buckets):
            self._send()
        self._look()
        after = time.perf_counter()
        self.times.sending += after - begin
        for k, pending in self._flying:
            begin = time.perf_counter()
            pending.wait()
            after = time.perf_counter()
            self.times.waiting += after - begin
            self._sum(k)
            self.times.sending += time.perf_counter() - after
        self._flying = []

    def spread(self, whole: Array) -> None:
        """Give every rank the slices of all others of ``whole``, which is laid out alike."""
        begin = time.perf_counter()
        rank, pending = self._world.rank, []
        for bucket in self.buckets:
            slices = [whole[bucket.slice(k)] for k in range(self._world.size)]
            pending.append(self._world.exchange([slices[rank]] * len(slices), slices))
        after = time.perf_counter()
        for each in pending:
            each.wait()
        self.times.sending += after - begin
        self.times.waiting += time.perf_counter() - after

    def _send(self) -> None:
        k = self._begun
        bucket = self.buckets[k]
        sent = [self._gradients[bucket.slice(r)] for r in range(self._world.size)]
        received = self._received[k]
        sent[self._world.rank] = received[self._world.rank]
        self._flying.append((k, self._world.exchange(sent, received)))
        self._begun += 1
        self.times.buckets[k].ready = time.perf_counter() - self._started

    def _look(self) -> None:
        still = []
        for k, pending in self._flying:
            if pending.test():
                self._sum(k)
            else:
                still.append((k, pending))
        self._flying = still

    def _sum(self, k: int) -> None:
        """Add up the ranks' parts of a slice as the tree over all chunks; keep it as a gradient."""
        parts = self._received[k]
        mine = parts[self._world.rank]
        for number, (a, b) in enumerate(self._pairs, 1):
            out = mine if number == len(self._pairs) else parts[a]
            if out.size:
                self._add(parts[a], parts[b], out)
        self.times.buckets[k].done = time.perf_counter() - self._started
