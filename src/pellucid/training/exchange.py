"""The messages of a step: partial gradients to the ranks that add them up, new weights to all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..distributed import Communicator, Pending
from ..typing import Array
from .buckets import Bucket

GRADIENTS, WEIGHTS = 0, 1  # channels

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
    back : float
        When it had the new weights of all slices; 0 if they were updated after the backward.
    """

    bytes: int
    ready: float = 0.0
    done: float = 0.0
    back: float = 0.0


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
        self._returning: list[tuple[int, Pending]] = []  # new weights on their way
        self._summed: set[int] = set()
        self._update: Callable[[int], None] | None = None
        self.times = TimeSplit(buckets=[BucketTime(b.bytes) for b in self.buckets])
        self._started = 0.0

    def begin(self, gradients: Array, update: Callable[[int], None] | None = None) -> None:
        """Prepare for a backward that writes ``gradients``.

        ``update``, if given, is called with the number of each bucket in order, once this rank's
        slice of its gradients is summed. It may call `give`.
        """
        self._begun, self._flying, self._gradients = 0, [], gradients
        self._update, self._updated, self._returning = update, 0, []
        self._summed.clear()
        times, rank = self.times, self._world.rank
        times.sending = times.waiting = times.updating = 0.0
        for bucket, received in zip(self.buckets, self._received, strict=True):
            received[rank] = gradients[bucket.slice(rank)]
        self._started = time.perf_counter()

    def after(self, step: int) -> None:
        """Send the buckets that are complete after this step, and look for those of others."""
        begin, updating = time.perf_counter(), self.times.updating
        while self._begun < len(self.buckets) and self.buckets[self._begun].after >= step:
            self._send()
        self._look()
        self.times.sending += time.perf_counter() - begin - (self.times.updating - updating)

    def finish(self) -> None:
        """Send the rest; return when this rank's slices are those of the whole batch."""
        times = self.times
        times.backward = time.perf_counter() - self._started - times.sending - times.updating
        self.after(-1)
        while self._flying:
            k, pending = self._flying.pop(0)
            self._wait(pending)
            begin, updating = time.perf_counter(), times.updating
            self._sum(k)
            times.sending += time.perf_counter() - begin - (times.updating - updating)

    def give(self, k: int, whole: Array) -> None:
        """Begin to give every rank the others' slices of a bucket of ``whole``, laid out alike."""
        bucket, rank = self.buckets[k], self._world.rank
        slices = [whole[bucket.slice(r)] for r in range(self._world.size)]
        sent = [slices[rank]] * len(slices)
        self._returning.append((k, self._world.exchange(sent, slices, WEIGHTS)))

    def complete(self) -> None:
        """Wait for everything that the ranks `give` each other."""
        for k, pending in self._returning:
            self._wait(pending)
            self.times.buckets[k].back = time.perf_counter() - self._started
        self._returning = []

    def spread(self, whole: Array) -> None:
        """Give every rank the slices of all others of ``whole``."""
        begin = time.perf_counter()
        for k in range(len(self.buckets)):
            self.give(k, whole)
        self.times.sending += time.perf_counter() - begin
        self.complete()

    def _wait(self, pending: Pending) -> None:
        begin = time.perf_counter()
        pending.wait()
        self.times.waiting += time.perf_counter() - begin

    def _send(self) -> None:
        k = self._begun
        bucket = self.buckets[k]
        sent = [self._gradients[bucket.slice(r)] for r in range(self._world.size)]
        received = self._received[k]
        sent[self._world.rank] = received[self._world.rank]
        self._flying.append((k, self._world.exchange(sent, received, GRADIENTS)))
        self._begun += 1
        self.times.buckets[k].ready = time.perf_counter() - self._started

    def _look(self) -> None:
        for k, pending in [*self._flying]:
            if pending.test():
                self._flying.remove((k, pending))
                self._sum(k)
        for k, pending in [*self._returning]:
            if pending.test():
                self._returning.remove((k, pending))
                self.times.buckets[k].back = time.perf_counter() - self._started

    def _sum(self, k: int) -> None:
        """Add up the ranks' parts of a slice as the tree over all chunks; keep it as a gradient."""
        parts = self._received[k]
        mine = parts[self._world.rank]
        for number, (a, b) in enumerate(self._pairs, 1):
            out = mine if number == len(self._pairs) else parts[a]
            if out.size:
                self._add(parts[a], parts[b], out)
        self.times.buckets[k].done = time.perf_counter() - self._started
        self._summed.add(k)
        while self._update is not None and self._updated in self._summed:
            self._updated += 1
            self._update(self._updated - 1)
