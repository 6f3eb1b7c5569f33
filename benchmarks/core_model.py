"""How long the launches of a step take on n cores, played from the tasks' measured durations.

A *launch* is one call of a parallel kernel: the caller prepares it alone, all cores take tasks from
its queue until none is left, and the caller goes on when the last one has ended. Taking a task
moves the queue's cache lines from core to core, one core after the other. What the model leaves
out: cores that share a memory or a cache slow each other down, and a core whose clock falls when
its neighbours work. So it says how far the division into tasks lets the speed grow.

`benchmarks/cores.py` measures the durations.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Launch", "Played", "Queue", "play"]


@dataclass(frozen=True)
class Launch:
    """One call of a kernel, in seconds.

    Attributes
    ----------
    name : str
        The kernel.
    before : float
        Of the caller alone: Python since the last launch, and the call itself.
    tasks : tuple of float
    shared : bool
        Whether the helpers take part.
    """

    name: str
    before: float
    tasks: tuple[float, ...]
    shared: bool


@dataclass(frozen=True)
class Queue:
    """What the queue costs, in seconds: for each task, and until a helper has seen the call."""

    take: float = 1e-7
    begin: float = 5e-7


@dataclass(frozen=True)
class Played:
    """The seconds of a step, and what they are spent on.

    Attributes
    ----------
    before : float
        The caller prepares a launch; the others wait.
    alone : float
        Launches that are too small to be shared.
    work : float
        The tasks of the others, as if they had been divided evenly.
    uneven : float
        What these took longer: too few tasks, or too long ones, and the queue.
    """

    before: float
    alone: float
    work: float
    uneven: float

    @property
    def seconds(self) -> float:
        """The seconds of the step."""
        return self.before + self.alone + self.work + self.uneven


def play(launches: Sequence[Launch], cores: int, queue: Queue) -> Played:
    """Return what a step takes on this many cores.

    Examples
    --------
    >>> even, odd = Launch("even", 1, (2.0,) * 4, True), Launch("odd", 0, (2.0,) * 3, True)
    >>> play([even, odd, Launch("small", 0, (1.0,), False)], 2, Queue(0, 0))
    Played(before=1.0, alone=1.0, work=7.0, uneven=1.0)
    """
    before = alone = work = uneven = 0.0
    for launch in launches:
        before += launch.before
        total = sum(launch.tasks)
        if not launch.shared or cores == 1 or len(launch.tasks) < 2:
            alone += total
            continue
        work += total / cores
        uneven += max(_makespan(launch.tasks, cores, queue) - total / cores, 0.0)
    if cores == 1:
        alone, work = 0.0, alone
    return Played(before, alone, work, uneven)


def _makespan(tasks: Sequence[float], cores: int, queue: Queue) -> float:
    """Return when the last task ends; every second core takes them from the back."""
    front, back, free, last = 0, len(tasks) - 1, 0.0, 0.0
    workers = [(0.0 if k == 0 else queue.begin, k) for k in range(cores)]
    while front <= back:
        ready, k = heapq.heappop(workers)
        free = max(ready, free) + queue.take
        task = front if k % 2 == 0 else back
        front, back = (front + 1, back) if k % 2 == 0 else (front, back - 1)
        last = max(last, free + tasks[task])
        heapq.heappush(workers, (free + tasks[task], k))
    return last
