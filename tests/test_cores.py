"""The model of a step's time on many cores, and the stopwatch that measures its tasks."""

from __future__ import annotations

import doctest
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid.kernels.jit import kernel
from pellucid.kernels.pool import threads
from pellucid.kernels.pool.threads import run, run_alone, share

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # the scripts import each other
core_costs, core_model, cores = map(importlib.import_module, ("core_costs", "core_model", "cores"))
sys.path.remove(str(BENCHMARKS))
Launch, Queue, play = core_model.Launch, core_model.Queue, core_model.play
FREE = Queue(0, 0)


def launch(*tasks, before=0.0, shared=True):
    return Launch("made", before, tasks, shared)


def test_the_example_of_the_model_holds():
    assert doctest.testmod(core_model).failed == 0


@pytest.mark.parametrize("cores", [1, 2, 7])
def test_a_step_takes_what_its_parts_take_one_after_the_other(cores):
    launches = [launch(1, 2, 3, before=0.5), launch(4, shared=False), launch(2)]
    played = play(launches, cores, Queue(0.1, 0.2))
    assert played.seconds == pytest.approx(sum(play([one], cores, Queue(0.1, 0.2)).seconds
                                               for one in launches))  # fmt: skip
    assert played.before == 0.5
    assert play(launches, 1, Queue(0.1, 0.2)).seconds == 12.5


def test_equal_tasks_divide_evenly_and_the_rest_waits_for_the_last():
    assert play([launch(*[1.0] * 8)], 4, FREE).seconds == 2
    assert play([launch(*[1.0] * 9)], 4, FREE).seconds == 3
    assert play([launch(*[1.0] * 3)], 64, FREE).seconds == 1


def test_every_second_core_takes_tasks_from_the_back():
    assert play([launch(1, 1, 1, 5)], 2, FREE).seconds == 5
    assert play([launch(1, 1, 1, 5, 1, 1, 1)], 2, FREE).seconds == 8


def test_the_queue_lets_one_core_after_the_other_take_a_task():
    assert play([launch(*[0.0] * 100)], 50, Queue(1, 0)).seconds == 100
    assert play([launch(10.0, 10.0)], 2, Queue(0, 3)).seconds == 13


@kernel
def _count(queue, y, step):
    for task in share(queue):
        y[task] += step


@pytest.mark.parametrize("each", [True, False])
def test_a_stopwatch_does_every_task_once_and_keeps_its_duration(each):
    y, watch = np.zeros(30), core_costs.Stopwatch(each=each)
    threads.begin_recording(watch)
    try:
        run(_count, 20, y, 1.0)
        run_alone(_count, 3, y, 1.0)
    finally:
        threads.end_recording()
    np.testing.assert_array_equal(y, np.repeat([2.0, 1.0, 0.0], [3, 17, 10]))
    first, second = watch.launches
    assert (len(first.tasks), first.shared) == (20, True)
    assert (len(second.tasks), second.shared) == (3, False)
    assert first.name == second.name == f"{__name__.rpartition('.')[2]}._count"
    assert all(seconds > 0 for seconds in first.tasks) == each


def test_the_table_says_how_often_faster_and_which_kernels_lose():
    launches = [launch(*[0.001] * 64, before=0.001)]
    text = cores.table({"made": cores.curve(launches, FREE)})
    assert "| made | 65.00 | 2.0 | 3.8 | 7.2 | 13.0 | 21.7 | 32.5 | 50%, 0%, 50%, 0% |" in text
    assert "made: 20% in 1 launches of 64 to 64 tasks" in cores.losses("step", launches, FREE)
