"""The pool of threads that kernels run on: one for the whole process.

    run(double, len(x), x, y)

does the tasks of a parallel kernel (see `pellucid.kernels.pool.work_queue`) on all threads. The
caller takes part, so that a thread that comes late costs nothing; when `run` returns, every task
is done, and no thread writes any more. What a task writes must not depend on the thread that does
it, nor on when: then neither does a bit of the result.

A helper spins for some 200 µs in wait for the next call, long enough for the next step of a
training, and then sleeps until it is woken, which takes 50 µs. Any Python thread may call `run`;
one that finds the helpers busy with another's call works alone. So may a forked child, which starts
threads of its own. (Numba's own layers allow one or the other.)
"""

from __future__ import annotations

import _thread
import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from numba.core import config
from numba.core.compiler_lock import global_compiler_lock

from ...errors import PellucidError
from ...typing import Array
from ..ahead import rehearsal
from . import thread_count, work_queue
from .thread_count import get_num_threads, set_num_threads
from .work_queue import share

__all__ = [
    "begin_recording",
    "end_recording",
    "get_num_threads",
    "run",
    "run_alone",
    "run_python",
    "set_num_threads",
    "share",
    "with_helpers",
]

Result = TypeVar("Result")
COMPILER: Any = config
if COMPILER.DISABLE_JIT:  # what the threads share is made of instructions that Python does not have
    raise PellucidError(
        "turns off Numba's compiler, which the compiled engine and the book's modules need. Unset "
        "it, or use the engine 'numpy'.",
        where="NUMBA_DISABLE_JIT",
    )

AWAKE = 2e-4  # seconds that a helper looks for the next call
REHEARSAL = 1000  # looks, to find out how many that are
NAP = 2e-5  # seconds between two looks at a thread that takes longer
DOZE = 0.01  # seconds between two looks for a call whose kernel is being compiled
PARTING = 1.0  # seconds for a helper to end its task when the process ends


class _Helper:
    """A thread that takes tasks from the pool's queue, and sleeps while there are none."""

    def __init__(self, pool: _Pool, number: int) -> None:
        # It begins asleep: a spinning helper would not let the next one start.
        self.employed, self.asleep = True, True
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self.thread = threading.Thread(
            target=self._work, args=(pool, number), name="pellucid", daemon=True
        )
        self.thread.start()

    def wake(self) -> None:
        """Make the thread look for calls again."""
        self.asleep = False
        try:  # noqa: SIM105 - it costs a third, and is done a hundred times per step
            self._bell.release()
        except RuntimeError:  # it rang already
            pass

    def _work(self, pool: _Pool, number: int) -> None:
        self._bell.acquire()
        while self.employed:
            work_queue.serve(pool.queue, number)
            self.asleep = True
            if not pool.free.locked():  # a caller may have looked at `asleep` a moment too soon
                self._bell.acquire()
            elif rehearsal.being_compiled():  # which takes a second
                self._bell.acquire(timeout=DOZE)


class _Pool:
    """The helpers and their queue, for one call at a time."""

    def __init__(self) -> None:
        self.helpers: list[_Helper] = []
        self.wanted = 0  # helpers, of which the system may not have given all
        self.free = threading.Lock()
        self.queue = work_queue.queue_to_share()
        self.kept: tuple[Any, ...] = ()

    def run(self, function: Any, count: int, args: tuple[Any, ...]) -> None:
        """Do the tasks together; the caller holds `free`."""
        queue = self.queue
        work_queue.begin(queue, count)
        self.prepare()
        try:
            function(queue, *args)
            while not work_queue.finished(queue):
                time.sleep(NAP)
        except BaseException:  # including Ctrl-C
            queue[work_queue.TASKS] = 0  # no thread begins another
            work_queue.end_flushing()
            self.retire(args)
            while not work_queue.finished(queue):  # the next call may write to the same arrays
                time.sleep(NAP)
            raise
        if queue[work_queue.DONE] < count:  # a helper failed: the caller runs into the error itself
            run_alone(function, count, *args)

    def prepare(self) -> None:
        """Have as many helpers as are wanted, all of them awake."""
        self.queue[work_queue.SERIES] = 0  # Ctrl-C may have come before the end of one
        if self.wanted != thread_count.wanted - 1:
            self.hire(thread_count.wanted - 1)
        for helper in self.helpers:
            if helper.asleep:
                helper.wake()

    def retire(self, args: tuple[Any, ...]) -> None:
        """Leave further calls to a new pool: a second Ctrl-C may end the wait for the helpers."""
        global _pool
        self.kept = args  # as long as a helper may write to them
        self.hire(0)
        _pool = _Pool()

    def hire(self, wanted: int) -> None:
        """Start or end helpers until there are ``wanted``, if the system gives as many."""
        queue, helpers = self.queue, self.helpers
        if wanted and not queue[work_queue.LOOKS]:
            work_queue.serve(queue, 0)  # compiled here: no call can wait for a thread that compiles
            queue[work_queue.HELPERS], queue[work_queue.LOOKS] = 1, REHEARSAL
            took = min(_seconds_of(work_queue.serve, queue, 0) for _ in range(3))
            queue[work_queue.LOOKS] = int(REHEARSAL * AWAKE / took) + 1
        queue[work_queue.HELPERS] = self.wanted = wanted
        while len(helpers) > wanted:
            helpers[-1].employed = False
            helpers.pop().wake()
        try:
            while len(helpers) < wanted:
                helpers.append(_Helper(self, len(helpers)))
        except RuntimeError:  # the system gives no more threads, or the process is ending
            pass


def _seconds_of(function: Any, *args: Any) -> float:
    begin = time.perf_counter()
    function(*args)
    return time.perf_counter() - begin


def run(function: Any, count: int, *args: Any) -> None:
    """Do the ``count`` tasks of a parallel kernel on all threads, the calling one among them."""
    if _recordings and (recording := _recording()) is not None:
        recording.call(function, count, args, shared=True)
        return
    pool = _pool
    if count < 2 or thread_count.wanted < 2 or pool.free.locked() or rehearsal.going_on():
        run_alone(function, count, *args)
        return
    with pool.free:  # not `acquire` and `try`: Ctrl-C between them would leave it locked
        pool.run(function, count, args)


def run_alone(function: Any, count: int, *args: Any) -> None:
    """Do the tasks on the calling thread: they are too few to be worth waking another."""
    if _recordings and (recording := _recording()) is not None:
        recording.call(function, count, args, shared=False)
        return
    try:
        function(work_queue.queue_for_one(count), *args)
    except BaseException:
        work_queue.end_flushing()
        raise


def run_python(function: Callable[..., Any], *args: Any) -> None:
    """Call a function of Python's that works between two kernels.

    A repeated recording calls it again, with these arguments: what changes from one time to the
    next it must read from arrays or objects, and what it writes must lie in the same arrays.
    """
    recording = _recording() if _recordings else None
    if recording is None:
        function(*args)
        return
    end_recording()
    try:
        function(*args)
    finally:
        begin_recording(recording)
    recording.python(function, args)


def with_helpers(work: Callable[[Array | None], Result]) -> Result:
    """Return ``work(queue)`` with the queue of the helpers, who are awake; None if there are none.

    The work makes calls of kernels one after the other, and waits for each (see `recording`). The
    helpers stay awake until its end: nobody could wake them from compiled code.
    """
    pool = _pool
    if thread_count.wanted < 2 or pool.free.locked():
        return work(None)
    with pool.free:
        pool.prepare()
        try:
            pool.queue[work_queue.SERIES] = 1
            return work(pool.queue)
        finally:
            pool.queue[work_queue.SERIES] = 0


def _recording() -> Any:
    """Return this thread's recording, or None; a rehearsal within it only looks for kernels."""
    return None if rehearsal.here() else _recordings.get(_thread.get_ident())


def begin_recording(recording: Any) -> None:
    """Give this thread's calls to ``recording`` from now on (see `recording.Recording`)."""
    _recordings[_thread.get_ident()] = recording


def end_recording() -> None:
    """Make this thread's calls without a recording again."""
    _recordings.pop(_thread.get_ident(), None)


_pool = _Pool()
_recordings: dict[int, Any] = {}  # by the thread


def _dismiss() -> None:
    """End the helpers: one that left a kernel later would find the interpreter gone."""
    leaving = [helper.thread for helper in _pool.helpers]
    thread_count.wanted = 1
    _pool.free.acquire(timeout=PARTING)
    _pool.hire(0)
    for thread in leaving:
        thread.join(PARTING)


def _start_in_child() -> None:
    """Replace the parent's pool, whose threads a forked child does not have."""
    global _pool
    _pool = _Pool()
    global_compiler_lock.release()


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    # A child would wait forever for a kernel that another thread of its parent was compiling.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_start_in_child,
    )
