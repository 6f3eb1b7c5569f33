"""Processes that compile the last kernels of a list while this one compiles the first.

Numba compiles one kernel at a time in a process. So when the first kernel must be compiled of those
that a plan will call, processes beside this one begin with the last of them, and leave them on disk
(`pellucid.kernels.cache`). When this process comes to a kernel that another has begun, it waits for
that one. A process that fails or ends early is not missed: what it has not done is done here.

There are as many processes as the engine has threads (`pellucid.set_num_threads`), this one among
them. They run at a lower priority, and end with this one, however it ends
(`pellucid.kernels.ahead.helper`).
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from numba.core import config

from ..pool import thread_count
from .recipes import Recipe
from .rehearsal import Call

__all__ = ["claim", "expecting", "missing"]

SETTINGS: Any = config
ROOT = Path(__file__).parents[3]
WORTH = 3  # kernels: a helper takes as long to begin as to compile one or two
MOST = 7  # helpers: each takes 150 MB of memory
PATIENCE = 60.0  # seconds for a kernel that a helper has begun; it takes one or two
PARTING = 1.0  # seconds for a helper to end


class Job(NamedTuple):
    """A kernel to compile: the file that it will be in, and how to find it."""

    file: str
    recipe: Recipe
    types: tuple[Any, ...]


class _Crew:
    """Helpers, and the jobs that they share with this process."""

    def __init__(self, jobs: Sequence[Job], helpers: int) -> None:
        self._open = {job.file: job for job in jobs}  # in order of their use
        self._begun: dict[str, threading.Event] = {}  # by helpers
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        for number in range(helpers):
            name = f"pellucid compiler {number}"
            threading.Thread(target=self._employ, name=name, daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether no job waits to be begun."""
        return not self._open

    def claim(self, file: str) -> bool:
        """Leave a kernel to this process, unless a helper has begun it: then wait until it ends.

        Returns whether a helper has had the job.
        """
        with self._lock:
            self._open.pop(file, None)
            ended = self._begun.pop(file, None)
        return ended is not None and ended.wait(PATIENCE)

    def dismiss(self) -> None:
        """End all helpers, whatever they are doing."""
        self._open.clear()
        for process in self._processes:
            with suppress(OSError, ValueError):  # it has ended; its thread is closing the pipe too
                if process.stdin is not None:
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(PARTING)
            except subprocess.TimeoutExpired:
                process.kill()

    def _employ(self) -> None:
        """Have a helper do one job after another, until there are none."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.helper"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=_environment(),
            )  # fmt: skip
        except (OSError, RuntimeError):  # no more processes; or this one is ending
            return
        self._processes.append(process)
        with suppress(OSError, ValueError), process:
            orders: Any = process.stdin
            replies: Any = process.stdout
            reply = replies.readline()  # it is ready
            while reply and (begun := self._begin()):
                job, ended = begun
                try:
                    pickle.dump((job.recipe, job.types), orders)
                    orders.flush()
                    reply = replies.readline()  # none if it has ended
                finally:
                    ended.set()

    def _begin(self) -> tuple[Job, threading.Event] | None:
        """Return the last job that nobody has begun."""
        with self._lock:
            if not self._open:
                return None
            file, job = self._open.popitem()
            self._begun[file] = threading.Event()
            return job, self._begun[file]


class expecting:  # noqa: N801
    """Within the block, the first kernel that must be compiled has ``find`` tell the others.

    It returns the calls that are to come (`pellucid.kernels.ahead.rehearsal`), in order.
    """

    __slots__ = ("_before", "_find")

    def __init__(self, find: Callable[[], Iterable[Call]]) -> None:
        self._find = find

    def __enter__(self) -> None:
        self._before = getattr(_thread, "find", None)
        _thread.find = self._find

    def __exit__(self, *error: object) -> None:
        _thread.find = self._before


def claim(file: str) -> bool:
    """Return whether a helper has had the kernel of this ``file``, which it leaves if it can."""
    return _crew is not None and _crew.claim(file)


def missing(file: str) -> None:
    """Have the kernels compiled that are expected after that of ``file``, if that is worth it."""
    global _crew
    find, helpers = getattr(_thread, "find", None), thread_count.wanted - 1
    if find is None or helpers < 1 or not (_crew is None or _crew.idle):
        return
    if not sys.executable or hasattr(sys, "frozen"):  # it would start the whole application again
        return
    _thread.find = None  # once in a block
    with suppress(Exception):  # whatever is wrong will be wrong again where it matters
        jobs = {job.file: job for job in map(_job, find()) if job and job.file != file}
        if len(jobs) >= WORTH:
            _crew = _Crew([*jobs.values()], min(helpers, MOST, len(jobs) // 2))


def _job(call: Call) -> Job | None:
    """Return the job of compiling a kernel; None if it is on disk, or only this process can."""
    kernel, types = call
    file = None if kernel.recipe is None else kernel._cache.missing_file(types)
    return None if file is None else Job(file, kernel.recipe, types)


def _environment() -> dict[str, str]:
    """Return the environment of a helper, which must compile as this process would."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    for name in ("CACHE_DIR", "CPU_NAME", "CPU_FEATURES"):
        if value := getattr(SETTINGS, name, None):
            env[f"NUMBA_{name}"] = value
    return env | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


_thread = threading.local()
_crew: _Crew | None = None


def _dismiss() -> None:
    if _crew is not None:
        _crew.dismiss()


def _start_in_child() -> None:
    """Leave a forked child without helpers: they are its parent's."""
    global _crew
    _crew = None


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_in_child)
