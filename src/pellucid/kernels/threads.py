"""The threads that share a kernel's tasks out among them: one pool for the whole process.

A parallel kernel takes a queue first, and does whichever of its tasks nobody has taken yet:

    @kernel
    def double(queue, x, y):
        for row in share(queue):
            y[row] = 2 * x[row]

    run(double, len(x), x, y)

The caller works along, so that a thread that wakes up late costs nothing; when `run` returns, every
task is done, and nobody writes any more. What a task writes must not depend on who does it, nor
when: then neither does a bit of the result. A kernel never leaves its loop early, and writes
nothing outside of it: a late thread may still begin it, and find no task.

Any Python thread may call `run`, and so may a forked child, which starts threads of its own.
(Numba's own layers allow one or the other.)
"""

from __future__ import annotations

import _thread
import atexit
import os
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock

from ..typing import Array
from . import cores
from .cores import get_num_threads, set_num_threads
from .jit import kernel

__all__ = ["get_num_threads", "run", "run_alone", "set_num_threads", "share"]

intrinsic: Any = extending.intrinsic
INDEX = ir.IntType(64)
# Places in a queue: the next task, how many are done, how many there are. Each has a cache line.
NEXT, DONE, TASKS = 0, 8, 16
NEVER = 2**62  # a next task that leaves none to take
PATIENCE = 20_000  # looks at the queue, some 50 µs, before the caller sleeps
FLUSHING, FLUSH_TO_ZERO = np.int32(-1), 0x8040  # FTZ and DAZ in MXCSR
X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
PARTING = 1.0  # seconds for a worker to end its task when the process ends


@intrinsic
def _add_one(typing: Any, queue: Any, place: Any) -> Any:
    """Add 1 to ``queue[place]`` in one piece, and return what was there."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(queue)(context, builder, values[0]).data
        at = builder.gep(data, [values[1]])
        return builder.atomic_rmw("add", at, ir.Constant(INDEX, 1), "seq_cst")

    return types.int64(queue, types.intp), write


@intrinsic
def _look_at(typing: Any, queue: Any, place: Any) -> Any:
    """Return ``queue[place]`` as another thread left it."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(queue)(context, builder, values[0]).data
        return builder.load_atomic(builder.gep(data, [values[1]]), "seq_cst", 8)

    return types.int64(queue, types.intp), write


@intrinsic
def _set_denormals(typing: Any, mode: Any) -> Any:
    """Set the thread's floating-point mode, `FLUSHING` or one that this has returned before.

    Elsewhere than on x86 it does nothing: there, denormal numbers cost little.
    """
    byte = ir.IntType(8).as_pointer()

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if not X86:
            return values[0]
        kind = ir.FunctionType(ir.VoidType(), [byte])
        get, put = (
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
            for name in ("stmxcsr", "ldmxcsr")
        )
        word = cgutils.alloca_once(builder, ir.IntType(32))
        address = builder.bitcast(word, byte)
        builder.call(get, [address])
        before = builder.load(word)
        flushing = builder.icmp_signed("==", values[0], ir.Constant(ir.IntType(32), FLUSHING))
        flush = builder.or_(before, ir.Constant(ir.IntType(32), FLUSH_TO_ZERO))
        builder.store(builder.select(flushing, flush, values[0]), word)
        builder.call(put, [address])
        return before

    return types.int32(types.int32), write


@kernel
def share(queue: Array) -> Any:
    """Yield the numbers of the tasks that nobody has taken, one by one.

    Between the first and the last, denormal numbers count as zero: one operation on those takes as
    long as a hundred others.
    """
    before = _set_denormals(FLUSHING)
    task = _add_one(queue, NEXT)
    while task < queue[TASKS]:
        yield task
        _add_one(queue, DONE)
        task = _add_one(queue, NEXT)
    _set_denormals(before)


@kernel
def _end_flushing() -> None:
    """Let denormal numbers be numbers again, where an error has ended a kernel in `share`."""
    _set_denormals(np.int32(_set_denormals(FLUSHING) & ~FLUSH_TO_ZERO))


@kernel
def _finished(queue: Array) -> bool:
    """Return whether every task is done; look many times before saying no."""
    for _ in range(PATIENCE):  # noqa: SIM110 - Numba compiles no generator expression
        if _look_at(queue, DONE) >= queue[TASKS]:
            return True
    return False


class _Job:
    """A call of a kernel, and what went wrong with it on another thread."""

    __slots__ = ("args", "failure", "function")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args
        self.failure: BaseException | None = None


NOTHING = _Job(lambda: None)


class _Worker:
    """A thread that helps with the newest job whenever it is woken."""

    def __init__(self) -> None:
        self.employed = True
        self.doing = self._offered = NOTHING
        self._bell = _thread.allocate_lock()
        self._bell.acquire()
        self.thread = threading.Thread(target=self._work, name="pellucid", daemon=True)
        self.thread.start()

    def help(self, job: _Job) -> None:
        """Wake up, and do tasks of ``job`` as long as there are any."""
        self._offered = job
        try:  # noqa: SIM105 - it costs a third, and is done a hundred times per step
            self._bell.release()
        except RuntimeError:  # it rang already: the worker will find this job instead
            pass

    def _work(self) -> None:
        while self.employed:
            self._bell.acquire()
            job = self.doing = self._offered
            self._offered = NOTHING
            try:
                job.function(*job.args)
            except BaseException as error:  # the caller of `run` raises it
                _end_flushing()
                job.failure = error
            self.doing = job = NOTHING  # which lets go of the arrays


def run(function: Any, tasks: int, *args: Any) -> None:
    """Do the ``tasks`` of a parallel kernel on all threads, the calling one among them."""
    # A kernel that is called for the first time is compiled, by the caller alone: a thread that
    # compiles can neither be waited for at the end of the process nor be left behind by a fork.
    if tasks < 2 or cores.wanted < 2 or not function.overloads:
        run_alone(function, tasks, *args)
        return
    queue = np.zeros(TASKS + 1, dtype=np.int64)
    queue[TASKS] = tasks
    if _employed_for != cores.wanted:
        _hire()
    job = _Job(function, queue, *args)
    helpers = _workers[: tasks - 1]
    try:
        for worker in helpers:
            worker.help(job)
        function(queue, *args)
        while not _finished(queue):
            if job.failure is not None:
                raise job.failure
            time.sleep(2e-5)
    except BaseException:  # Ctrl-C among them: what is called next may write to the same arrays
        queue[NEXT] = NEVER
        _end_flushing()
        while any(worker.doing is job for worker in helpers):
            time.sleep(2e-5)
        raise


def run_alone(function: Any, tasks: int, *args: Any) -> None:
    """Do the ``tasks`` on the calling thread: so few that waking another would take longer."""
    queue = np.zeros(TASKS + 1, dtype=np.int64)
    queue[TASKS] = tasks
    try:
        function(queue, *args)
    except BaseException:
        _end_flushing()
        raise


_workers: list[_Worker] = []
_employed_for = 1  # the number of threads that `_workers` were hired for
_hiring = threading.Lock()


def _hire() -> None:
    global _employed_for
    with _hiring:
        _employed_for = wanted = cores.wanted
        while len(_workers) > wanted - 1:
            leaving = _workers.pop()
            leaving.employed = False
            leaving.help(NOTHING)
        try:
            while len(_workers) < wanted - 1:
                _workers.append(_Worker())
        except RuntimeError:  # the system gives no more threads, or the process is ending
            pass


def _dismiss() -> None:
    """Send the threads home: one that came out of a kernel later would find no Python there."""
    leaving = [worker.thread for worker in _workers]
    cores.wanted = 1
    _hire()
    for thread in leaving:
        thread.join(PARTING)


def _start_anew() -> None:
    """Forget the parent's threads, which a forked child does not have."""
    global _workers, _employed_for, _hiring
    _workers, _employed_for, _hiring = [], 1, threading.Lock()
    global_compiler_lock.release()


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    # A child would wait forever for a kernel that another thread of its parent was compiling.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_start_anew,
    )
