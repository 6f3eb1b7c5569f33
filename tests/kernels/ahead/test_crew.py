"""Helpers that compile beside a process: their kernels are used, and none outlives it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numba import typeof

from pellucid.kernels.ahead.recipes import Recipe
from pellucid.kernels.tree import add_chunks

PROGRAM = """
import os, signal, sys, threading, time
import numpy as np
from numba.core import event
from pellucid import nn
from pellucid.engine import compile
from pellucid.kernels.ahead import crew
from pellucid.kernels.compiling import watch

compiled = []
class Listener(event.Listener):
    def on_start(self, news):
        compiled.append(news.data["dispatcher"])
    def on_end(self, news):
        pass
event.register("numba:compile", Listener())

def when_there_is_a_helper(act):
    def wait():
        while crew._crew is None or not crew._crew._begun:
            time.sleep(0.01)
        act(crew._crew._processes[0].pid)
    threading.Thread(target=wait, daemon=True).start()

if sys.argv[1] == "kill":
    when_there_is_a_helper(lambda pid: os.kill(pid, signal.SIGKILL))
if sys.argv[1] == "tell":
    when_there_is_a_helper(lambda pid: print(pid, flush=True))

rng, told = np.random.default_rng(0), []
model = nn.Sequential(
    nn.Linear(64, 32, rng=rng), nn.ReLU(), nn.Linear(32, 10, rng=rng), nn.Sigmoid()
)
plan = compile(model, (64,), 20)
with watch(told.append):
    y = plan(rng.standard_normal((20, 64), np.float32)).copy()
    plan.backward(y)
own = sum(k.py_func.__module__.startswith("pellucid") and hasattr(k, "recipe") for k in compiled)
print(float(y.sum()), float(plan.gradients.sum()), own, len(told))
"""


def environment(folder, threads):
    return {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PELLUCID_NUM_THREADS": str(threads)}


def run(folder, *, threads, event="nothing"):
    """Return the sums that the program printed, and how many kernels it compiled, and told of."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, event], env=environment(folder, threads),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    *sums, own, told = result.stdout.split()
    return sums, int(own), int(told)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What the program prints on one thread, where there are no helpers."""
    folder = tmp_path_factory.mktemp("alone")
    return folder, run(folder, threads=1)


def kernels(folder):
    return {path.name for path in Path(folder).rglob("*.nbc")}


def test_helpers_compile_a_part_and_the_numbers_are_the_same(alone, tmp_path):
    folder, (sums, own, told) = alone
    assert own == told >= 5
    others, compiled, counted = run(tmp_path, threads=2)
    assert others == sums
    assert compiled < own  # the rest came from a helper ...
    assert counted >= own  # ... and is counted all the same; two more kernels wake the thread
    assert kernels(tmp_path) >= kernels(folder)
    assert not list(tmp_path.rglob("*.tmp"))


def test_where_all_kernels_are_ready_no_helper_starts(alone):
    folder, (sums, _, _) = alone
    others, compiled, _ = run(folder, threads=2)
    assert (others, compiled <= 2) == (sums, True)
    assert run(folder, threads=1) == (sums, 0, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_a_helper_leaves_undone_is_done_without_it(alone, tmp_path):
    _, (sums, _, _) = alone
    assert run(tmp_path, threads=2, event="kill")[0] == sums


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_helpers_end_with_the_process_even_if_that_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "tell"], env=environment(tmp_path, 2),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        helper = int(process.stdout.readline())
        assert at_work(helper)
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while at_work(helper) and time.monotonic() < end:
        time.sleep(0.05)
    assert not at_work(helper)


def at_work(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_helper_answers_every_order_whatever_it_is(tmp_path):
    types = tuple(map(typeof, (np.zeros((2, 3), np.float32), 0, 3)))
    orders = [
        (Recipe("pellucid.kernels.tree", "there_is_none"), types),
        (Recipe("there.is.none", "add_chunks"), types),
        (add_chunks.recipe, types[:1]),
        (add_chunks.recipe, types),
    ]
    helper = subprocess.Popen(
        [sys.executable, "-m", "pellucid.kernels.ahead.helper"], env=environment(tmp_path, 1),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with helper:
        assert helper.stdout.readline() == b"\n"  # it is ready
        for order in orders:
            pickle.dump(order, helper.stdin)
            helper.stdin.flush()
            assert helper.stdout.readline() == b"\n"
    assert helper.returncode == 0
    assert len(kernels(tmp_path)) == 1
