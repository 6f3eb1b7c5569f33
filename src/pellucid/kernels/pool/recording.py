"""Record calls of kernels, and make them again without Python.

A call from Python costs 5 to 15 µs, most of it to unpack the arguments, which for a single image
takes as long as the kernel itself; and what Python computes before a call, all threads wait for.
But the arguments of a kernel that has run lie in its queue as machine code takes them, with the
address of code that calls the kernel with them (see `pellucid.kernels.pool.work_queue`). So a
recording keeps the queue of each call, and one compiled loop goes through them:

    recording = Recording()
    with recording:
        run(double, len(x), x, y)
        run_python(np.negative, y, y)
        run(double, len(y), y, z)
    ...
    recording.repeat()

The same arrays are read and written as when it was recorded, which the recording keeps alive; what
Python computes between two calls is not done again, except for what `run_python` calls. An array
that may be another one the next time is *moving*: where its address lies in a queue, `repeat`
writes the new one.

    with recording, recording.moving({"x": x}):
        run(double, len(x), x, y)
    ...
    recording.repeat({"x": other})
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ...memory import aligned_zeros
from ...typing import Array
from ..jit import kernel
from . import threads, work_queue
from .atomics import call
from .work_queue import ARGUMENTS, CODE, FAILED, TASKS, finished

__all__ = ["Recording", "address", "arrays_in", "overlap"]

DATA = ARGUMENTS + 4  # the address of the queue itself, within the kernel's first argument
NO_QUEUE = np.zeros(0, dtype=np.int64)
NOWHERE = -1  # an address that no array has


class _Call(NamedTuple):
    """A call that has been made: its queue, and what keeps its addresses valid."""

    queue: Array
    function: Any
    args: tuple[Any, ...]
    shared: bool
    moving: Mapping[Hashable, Array]


class _Python(NamedTuple):
    """A function that is called between two kernels."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class _Series(NamedTuple):
    """Calls of kernels without Python between them, and a function that follows."""

    queues: Array
    shared: Array
    then: _Python | None


class _Place(NamedTuple):
    """Where the addresses within a moving array lie in the queues, and how far from its begin."""

    words: Array
    queue: Array
    offset: Array


class Recording:
    """The calls of kernels by the thread that is in its block, in their order.

    Attributes
    ----------
    pinned : bool
        Whether `run_python` got a part of a moving array, which cannot be replaced.
    """

    def __init__(self) -> None:
        self.pinned = False
        self._calls: list[_Call | _Python] = []
        self._moving: Mapping[Hashable, Array] = {}
        self._series: list[_Series] | None = None
        self._aimed: Array | None = None  # the queue that the shared calls go to
        self._places: list[tuple[Hashable, list[_Place]]] = []
        self._at: dict[Hashable, int] = {}  # the addresses in the queues

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

    @contextmanager
    def moving(self, arrays: Mapping[Hashable, Array]) -> Iterator[None]:
        """Take the calls of the block to read ``arrays`` that may be others at the next time."""
        self._moving, before = arrays, self._moving
        try:
            yield
        finally:
            self._moving = before

    def forget(self, first: int) -> None:
        """Drop the calls from number ``first`` on."""
        del self._calls[first:]
        self.pinned, self._series = False, None

    def call(self, function: Any, count: int, args: tuple[Any, ...], *, shared: bool) -> None:
        """Do a kernel's tasks on this thread; keep the call. ``shared``: several threads may."""
        queue = work_queue.queue_to_share()
        work_queue.begin(queue, count)
        try:
            function(queue, *args)
        except BaseException:
            work_queue.end_flushing()
            raise
        self._calls.append(_Call(queue, function, args, shared and count > 1, self._moving))

    def python(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Keep a function that has been called."""
        self.pinned |= any(overlap(a, b) for a in arrays_in(args) for b in self._moving.values())
        self._calls.append(_Python(function, args))

    def repeat(self, moved: Mapping[Hashable, Array] | None = None) -> bool:
        """Make all calls again; return whether all of them did well.

        ``moved`` are the moving arrays of this time, of the same shapes. If a call fails, those
        after it are not made.
        """
        return threads.with_helpers(lambda queue: self._repeat(queue, moved or {}))

    def _repeat(self, queue: Array | None, moved: Mapping[Hashable, Array]) -> bool:
        series = self._series
        if series is None or queue is not self._aimed:
            series = self._aim(queue)
        for key, places in self._places:
            at = address(moved[key])
            if at != self._at[key]:
                self._at[key] = NOWHERE  # as long as Ctrl-C may come between the places
                for place in places:
                    place.words[place.queue, place.offset[0]] = at + place.offset[1]
                self._at[key] = at
        for one in series:
            if len(one.queues) and _repeat(one.queues, one.shared, _or_none(queue)):
                return False
            if one.then is not None:
                one.then.function(*one.then.args)
        return True

    def _aim(self, queue: Array | None) -> list[_Series]:
        """Lay out the queues, with the address of ``queue`` in the calls that are shared."""
        self._series, found, together = None, list[_Series](), list[_Call]()
        places: dict[Hashable, list[_Place]] = {}
        for one in [*self._calls, None]:
            if isinstance(one, _Call):
                together.append(one)
            elif one is not None or together:
                found.append(_Series(*_laid_out(together, queue), one))
                for key, place in _places(together, found[-1].queues):
                    places.setdefault(key, []).append(place)
                together = []
        self._places = list(places.items())
        self._at = dict.fromkeys(places, NOWHERE)
        self._aimed, self._series = queue, found
        return found


def _or_none(queue: Array | None) -> Array:
    return NO_QUEUE if queue is None else queue


def _laid_out(calls: list[_Call], queue: Array | None) -> tuple[Array, Array]:
    """Return the queues of some calls in one array, and which of them are shared."""
    queues = aligned_zeros((len(calls), work_queue.WORDS), np.int64)
    shared = np.array([one.shared and queue is not None for one in calls], dtype=np.bool_)
    for own, one in zip(queues, calls, strict=True):
        for part in (slice(ARGUMENTS, None), TASKS, CODE):
            own[part] = one.queue[part]
        of = queue if queue is not None and one.shared else own
        own[DATA] = address(of)
    return queues, shared


def _places(calls: list[_Call], queues: Array) -> Iterator[tuple[Hashable, _Place]]:
    """Yield where the addresses of moving arrays lie: no number of a kernel looks like one."""
    for key in dict.fromkeys(key for one in calls for key in one.moving):
        rows = [(k, one.moving[key]) for k, one in enumerate(calls) if key in one.moving]
        begins, ends = np.zeros((2, len(calls), 1), np.int64)
        for k, a in rows:
            begins[k], ends[k] = address(a), address(a) + max(a.nbytes, 1)
        words = queues[:, ARGUMENTS:]
        queue, word = np.nonzero((words >= begins) & (words < ends))
        if len(queue):
            offset = words[queue, word] - begins[queue, 0]
            yield key, _Place(queues, queue, np.stack([word + ARGUMENTS, offset]))


def address(a: Array) -> int:
    """Return where the numbers of an array begin."""
    found: int = a.__array_interface__["data"][0]
    return found


def overlap(a: Array, b: Array) -> bool:
    """Return whether the memory from begin to end of two arrays has a part in common."""
    return np.may_share_memory(a, b)


def arrays_in(value: Any) -> Iterator[Array]:
    """Yield the arrays in a value, also within tuples and lists."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from arrays_in(one)


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
