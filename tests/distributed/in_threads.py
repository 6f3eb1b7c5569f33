"""Ranks as threads of one process, for many cases in little time; the real ones are in `ranks`."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CHANNELS = 3
WAIT = 60.0  # seconds after which a rank no longer expects a message


class Threads:
    """The communicator of rank ``rank`` of several threads."""

    def __init__(self, rank, size, meeting):
        self.rank, self.size, self._meeting = rank, size, meeting
        self.messages = 0

    def gather(self, value):
        meeting = self._meeting
        self.messages += 1
        meeting.values[self.rank] = value
        meeting.barrier.wait(WAIT)
        found = list(meeting.values)
        meeting.barrier.wait(WAIT)
        return found

    def broadcast(self, value, root=0):
        return self.gather(value)[root]

    def collect(self, part):
        parts = self.gather(np.array(part))
        assert len({(a.shape, a.dtype) for a in parts}) == 1, "MPI would not stand that"
        return np.stack(parts)

    def exchange(self, sent, received, channel=0):
        for k in range(self.size):
            self._meeting.mail[self.rank, k, channel].put(sent[k].copy())
        return _Mail(self, received, channel)

    def barrier(self):
        self._meeting.barrier.wait(WAIT)

    def abort(self, code):
        self._meeting.barrier.abort()
        raise SystemExit(code)


class _Meeting:
    def __init__(self, size):
        self.values = [None] * size
        self.barrier = threading.Barrier(size)
        ranks, channels = range(size), range(CHANNELS)
        self.mail = {(a, b, c): queue.Queue() for a in ranks for b in ranks for c in channels}
        self.expected = {(a, c): [] for a in ranks for c in channels}


class _Mail:
    """Messages of one exchange: those of a sender arrive in the order in which it sent them."""

    def __init__(self, world, received, channel):
        self._world, self._missing, self._channel = world, dict(enumerate(received)), channel
        self._before = world._meeting.expected[world.rank, channel]
        self._before.append(self)

    def _take(self, wait):
        for each in [*self._before]:
            for k, into in list(each._missing.items()):
                mail = self._world._meeting.mail[k, self._world.rank, self._channel]
                if wait or not mail.empty():
                    into[...] = mail.get(timeout=WAIT)
                    del each._missing[k]
            if not each._missing:
                self._before.remove(each)
            if each is self or (not wait and each._missing):
                break

    def test(self):
        if self._missing:
            self._take(wait=False)
        return not self._missing

    def wait(self):
        if self._missing:
            self._take(wait=True)


def on_threads(size, work):
    """Return what ``work(communicator)`` returns on each of ``size`` ranks."""
    meeting = _Meeting(size)

    def one(rank):
        try:
            return work(Threads(rank, size, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as threads:
        futures = [threads.submit(one, rank) for rank in range(size)]
        failures = [f.exception() for f in futures]
        for failure in sorted(
            filter(None, failures), key=lambda e: isinstance(e, threading.BrokenBarrierError)
        ):
            raise failure
        return [f.result() for f in futures]
