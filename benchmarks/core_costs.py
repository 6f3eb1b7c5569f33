"""How long every task of every launch of one step takes on one thread: prints JSON.

    python benchmarks/core_costs.py CASE [STEPS]

A step runs as usual, but each kernel's tasks are called one by one, in order, and timed. Of several
steps, the least duration of each task counts. Within a forward or a backward, whose kernels are
called again without Python, nothing lies between the launches but what `run_python` calls, and
before the first one the Python that begins the pass.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from cases import CASES
from core_model import Launch, Queue
from images import batches
from machine import facts
from ours import Pellucid

from pellucid.kernels.jit import kernel
from pellucid.kernels.pool import threads, work_queue
from pellucid.kernels.pool.atomics import call
from pellucid.kernels.pool.recording import Recording
from pellucid.kernels.pool.work_queue import (
    BACK,
    CODE,
    DONE,
    ENTERED,
    FRONT,
    TAKEN,
    TASKS,
    share,
)

STEPS = 5
MOST = 64  # cores on which the tasks will be played
HELPER = 2  # an even thread, which takes tasks from the front and does not open the queue again


@kernel
def _do(queue: Any, task: int) -> None:
    """Do one task of the call in the queue, or none of it if ``task`` is negative."""
    queue[TAKEN], queue[FRONT], queue[BACK], queue[DONE] = 0, max(task, 0), 0, 0
    queue[ENTERED], queue[TASKS] = HELPER, 1 if task >= 0 else 0
    call(queue, CODE)


@kernel
def _nothing(queue: Any, y: Any) -> None:
    """Do as good as nothing, in many tasks."""
    for task in share(queue):
        y[task % 8] = 1


class Stopwatch:
    """Takes the place of a recording: times the calls, or the tasks of each call one by one.

    The latter leaves little of Python in the processor's caches, so what lies between two calls is
    timed in steps of the former.
    """

    def __init__(self, *, each: bool) -> None:
        self.launches: list[Launch] = []
        self.each, self._ended = each, time.perf_counter()
        self.repeated = False  # whether the calls will be made again without Python
        self._python = 0.0  # seconds of what is called again between the kernels

    def call(self, function: Any, count: int, args: tuple[Any, ...], *, shared: bool) -> None:
        """Do a kernel's tasks, and keep the durations."""
        before, tasks = time.perf_counter() - self._ended, (0.0,) * count
        if self.repeated:
            before, self._python = self._python, 0.0
        if not self.each:
            function(work_queue.queue_for_one(count), *args)
        else:
            queue = work_queue.queue_to_share()
            work_queue.begin(queue, 0)
            began = time.perf_counter()
            function(queue, *args)  # only stores its arguments in the queue
            before = 0.0 if self.repeated else time.perf_counter() - began
            empty = min(_seconds(queue, -1) for _ in range(3))
            tasks = tuple(max(_seconds(queue, task) - empty, 1e-8) for task in range(count))
        name = f"{function.py_func.__module__.rpartition('.')[2]}.{function.py_func.__name__}"
        self.launches.append(Launch(name, before, tasks, shared))
        self._ended = time.perf_counter()

    def python(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Call once more, and time, what `run_python` has called."""
        began = time.perf_counter()
        function(*args)
        self._python += time.perf_counter() - began


def _seconds(queue: Any, task: int) -> float:
    begin = time.perf_counter()
    _do(queue, task)
    return time.perf_counter() - begin


def launches_of(key: str, steps: int = STEPS) -> tuple[list[Launch], Queue]:
    """Return the launches of a step of a case, and what the queue costs here."""
    case = CASES[key]
    few = list(itertools.islice(batches(case.image, case.batch), 2))
    ours = Pellucid(case, few, 1)
    work: Callable[[], Any] = ours.train if case.training else ours.infer
    for _ in range(3):
        work()
    entering = _entering(ours.run, few[0][0], training=case.training)
    ours.run.replays = False
    ours.run = watched = _Watched(ours.run)
    found: dict[bool, list[list[Launch]]] = {True: [], False: []}
    threads.set_num_threads(MOST)  # for which steps cut their work; no call is shared meanwhile
    for each in (True, False) * steps:
        watch = watched.watch = Stopwatch(each=each)
        threads.begin_recording(watch)
        try:
            work()
        finally:
            threads.end_recording()
        found[each].append(watch.launches)
    threads.set_num_threads(1)
    tasks, gaps = ([_least(same) for same in zip(*found[k], strict=True)] for k in found)
    least = [
        replace(one, before=one.before + gap.before) for one, gap in zip(tasks, gaps, strict=True)
    ]
    for number, seconds in zip(watched.begins, entering, strict=True):
        least[number] = replace(least[number], before=least[number].before + seconds)
    return least, _queue()


class _Watched:
    """A plan, whose stopwatch knows which calls it will repeat without Python."""

    def __init__(self, plan: Any) -> None:
        self.plan, self.watch, self.begins = plan, Stopwatch(each=True), list[int]()

    def __call__(self, x: Any) -> Any:
        self.begins = []
        return self._repeated(self.plan, x)

    def backward(self, dy: Any) -> Any:
        """Call the plan's backward."""
        return self._repeated(self.plan.backward, dy)

    def _repeated(self, work: Callable[[Any], Any], x: Any) -> Any:
        self.begins.append(len(self.watch.launches))
        self.watch.repeated = True
        result = work(x)
        self.watch.repeated = False
        return result


def _entering(plan: Any, x: Any, *, training: bool) -> list[float]:
    """Return the seconds of Python in a forward and a backward whose kernels are called again."""
    dy, times, repeat = np.zeros_like(plan(x)), list[tuple[float, ...]](), Recording.repeat
    Recording.repeat = lambda self, moved=None: True  # type: ignore[method-assign]
    try:
        for _ in range(20):
            clock = [time.perf_counter()]
            plan(x)
            clock.append(time.perf_counter())
            if training:
                plan.backward(dy)
                clock.append(time.perf_counter())
            times.append(tuple(after - before for before, after in itertools.pairwise(clock)))
    finally:
        Recording.repeat = repeat  # type: ignore[method-assign]
    return [float(seconds) for seconds in np.min(times, axis=0)]


def _least(same: tuple[Launch, ...]) -> Launch:
    """Return one launch of the least durations of several."""
    tasks = np.min([one.tasks for one in same], axis=0)
    before = min(one.before for one in same)
    return replace(same[0], before=before, tasks=tuple(tasks.tolist()))


def _queue() -> Queue:
    """Return what a task costs that does nothing, with two threads in the queue."""
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2:
        return Queue()  # two threads on one core do not contend
    count, y = 20_000, np.zeros(8)
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        threads.run(_nothing, count, y)
        times.append(time.perf_counter() - begin)
    threads.set_num_threads(before)
    return Queue(sorted(times)[5] / count)


if __name__ == "__main__":
    made, queue = launches_of(sys.argv[1], int((sys.argv[2:] or [STEPS])[0]))
    launches, processor = [asdict(one) for one in made], facts()["processor"]
    print(json.dumps({"launches": launches, "queue": asdict(queue), "processor": processor}))
