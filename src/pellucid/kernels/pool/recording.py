"""Record calls of kernels, and make them again without Python.

A call from Python costs 5 to 15 µs, most of it to unpack the arguments, which for a single image
takes as long as the kernel itself. But the arguments of a kernel that has run lie in its queue as
machine code takes them, with the address of code that calls the kernel with them (see
`pellucid.kernels.pool.work_queue`). So a recording keeps the queue of each call, and one compiled
loop goes through them:

    recording = Recording()
    with recording:
        run(double, len(x), x, y)
        run(double, len(y), y, z)
    ...
    recording.repeat()

The same arrays are read and written as when it was recorded; what Python computes between two calls
is not done again. The recording keeps the arrays alive.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ...memory import aligned_zeros
from ...typing import Array
from ..jit import kernel
from . import threads, work_queue
from .atomics import call
from .work_queue import ARGUMENTS, CODE, FAILED, TASKS, finished

__all__ = ["Recording"]

DATA = ARGUMENTS + 4  # the address of the queue itself, within the kernel's first argument
NO_QUEUE = np.zeros(0, dtype=np.int64)


class _Call(NamedTuple):
    """A call that has been made: its queue, and what keeps its addresses valid."""

    queue: Array
    function: Any
    args: tuple[Any, ...]
    shared: bool


class Recording:
    """The calls of kernels by the thread that is in its block, in their order."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._queues = np.zeros((0, 0), dtype=np.int64)
        self._shared = np.zeros(0, dtype=np.bool_)
        self._aimed: Array | None = None  # the queue that the shared calls go to

    def __len__(self) -> int:
        return len(self._calls)

    def __enter__(self) -> Recording:
        threads.begin_recording(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        threads.end_recording()

    def call(self, function: Any, count: int, args: tuple[Any, ...], *, shared: bool) -> None:
        """Do a kernel's tasks on this thread; keep the call. ``shared``: several threads may."""
        queue = work_queue.queue_to_share()
        work_queue.begin(queue, count)
        try:
            function(queue, *args)
        except BaseException:
            work_queue.end_flushing()
            raise
        self._calls.append(_Call(queue, function, args, shared and count > 1))

    def repeat(self) -> bool:
        """Make all calls again; return whether all of them did well.

        If not, the calls after the one that failed are not made.
        """
        return threads.with_helpers(self._repeat)

    def _repeat(self, queue: Array | None) -> bool:
        if len(self._queues) != len(self._calls) or queue is not self._aimed:
            self._aim(queue)
        shared = self._shared if queue is not None else np.zeros_like(self._shared)
        failed: bool = _repeat(self._queues, shared, NO_QUEUE if queue is None else queue)
        return not failed

    def _aim(self, queue: Array | None) -> None:
        """Lay out the queues, with the address of ``queue`` in the calls that are shared."""
        self._queues = aligned_zeros((len(self._calls), work_queue.WORDS), np.int64)
        self._shared = np.array([one.shared for one in self._calls], dtype=np.bool_)
        for own, one in zip(self._queues, self._calls, strict=True):
            for part in (slice(ARGUMENTS, None), TASKS, CODE):
                own[part] = one.queue[part]
            of = own if queue is None or not one.shared else queue
            own[DATA] = of.ctypes.data
        self._aimed = queue


@kernel
def _repeat(queues: Array, shared: Array, queue: Array) -> bool:
    """Make every call; return whether one has failed, which ends it."""
    for k in range(len(queues)):
        own = queues[k]
        of = queue if shared[k] else own
        of[:TASKS] = 0
        of[TASKS] = own[TASKS]
        of[FAILED] = 0
        own[FAILED] = 0
        call(own, CODE)
        if shared[k]:
            of[FAILED] += own[FAILED]
            while not finished(of):
                pass
        if of[FAILED] > 0:
            return True
    return False
