"""Threads that compute one answer after the other, with a limited number waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from .replies import Refused

__all__ = ["Worker"]

MOST_WAITING = 32


@dataclass
class Work:
    """What is to be computed, for whom, and where its answer goes."""

    compute: Callable[[], Any]
    replaces: Hashable
    answer: Future[Any] = field(default_factory=Future)


class Worker:
    """One thread that computes what it is given, in this order.

    Examples
    --------
    >>> worker = Worker("example")
    >>> worker.give(lambda: 6 * 7).result()
    42
    >>> worker.close()
    """

    def __init__(self, name: str, most: int = MOST_WAITING) -> None:
        self.most = most
        self._waiting: deque[Work] = deque()
        self._changed = threading.Condition()
        self._closed = False
        # A daemon: the program ends even while something is computed that nobody waits for.
        threading.Thread(target=self._run, name=f"studio-{name}", daemon=True).start()

    def give(self, compute: Callable[[], Any], replaces: Hashable = None) -> Future[Any]:
        """Have ``compute`` called, and return the future of its value.

        What waits with an equal ``replaces`` is refused in its favour: while someone draws, only
        the newest picture counts.

        Raises
        ------
        Refused
            If too many wait, or the studio ends.
        """
        work = Work(compute, replaces)
        with self._changed:
            self._waiting = deque(w for w in self._waiting if not w.answer.cancelled())
            if replaces is not None:
                self._give_way(replaces)
            if self._closed:
                raise Refused(503, "closing", "The studio is ending.")
            if len(self._waiting) >= self.most:
                raise Refused(503, "busy", f"{self.most} questions are waiting already; ask later.")
            self._waiting.append(work)
            self._changed.notify()
        return work.answer

    def close(self) -> None:
        """Refuse what waits, and take nothing more."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, deque()
            self._changed.notify()
        for work in left:
            _refuse(work, Refused(503, "closing", "The studio is ending."))

    def _give_way(self, replaces: Hashable) -> None:
        for work in [w for w in self._waiting if w.replaces == replaces]:
            self._waiting.remove(work)
            _refuse(work, Refused(409, "superseded", "A newer question has taken its place."))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                work = self._waiting.popleft()
            if not work.answer.set_running_or_notify_cancel():
                continue
            try:
                value = work.compute()
            except BaseException as error:
                work.answer.set_exception(error)
            else:
                work.answer.set_result(value)


def _refuse(work: Work, why: Refused) -> None:
    if work.answer.set_running_or_notify_cancel():
        work.answer.set_exception(why)
