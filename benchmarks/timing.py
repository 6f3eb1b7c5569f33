"""Time in a process: repeated steps, and how fast the core is just now."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

__all__ = ["RATE", "Core", "seconds_of", "sgemm_peak", "spread", "time_steps", "timed"]

Kind = TypeVar("Kind")
WARM_UP, LEAST, MOST = 3, 10, 20_000  # steps
SLICE = 0.1  # seconds of steps between two looks at the core
RATE = "PELLUCID_BENCH_RATE"  # the environment variable with the highest rate of products so far
SIZES, PRODUCTS = (768, 1536), 12  # matrices large enough for the peak, small enough to be quick


def timed(work: Callable[[], Kind]) -> tuple[Kind, float]:
    """Return the result of ``work``, and its duration in seconds."""
    begin = time.perf_counter()
    made = work()
    return made, time.perf_counter() - begin


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the duration of ``work`` in seconds."""
    return timed(work)[1]


class Core:
    """How fast the core is: products of small matrices a second, by NumPy and on one thread.

    On a virtual machine the rate falls by a third or more while somebody else uses the other half
    of the core, for seconds at a time, and not all programs suffer alike.
    """

    FULL = 0.93  # of the highest rate so far
    SIDE, TIMES = 60, 100  # less than a millisecond; larger products BLAS would share out
    PAUSE = 0.1  # seconds between two looks

    def __init__(self, patience: float) -> None:
        self.peak = float(os.environ.get(RATE, "0"))
        self.patience = patience  # seconds to wait for the full rate, all in all
        self._a, self._b = np.ones((2, self.SIDE, self.SIDE), np.float32)
        self._product = np.empty_like(self._a)

    def search(self, seconds: float) -> None:
        """Look for the highest rate for some time."""
        for _ in range(round(seconds / self.PAUSE)):
            self.is_full()
            time.sleep(self.PAUSE)

    def is_full(self) -> bool:
        """Return whether the rate is about the highest so far."""
        rate = 1 / min(seconds_of(self._multiply) for _ in range(3))
        self.peak = max(self.peak, rate)
        return rate > self.FULL * self.peak

    def wait(self) -> bool:
        """Wait for the full rate, as long as there is patience; return whether it is there."""
        while not (full := self.is_full()) and self.patience > 0:
            time.sleep(self.PAUSE)
            self.patience -= self.PAUSE
        return full

    def _multiply(self) -> None:
        for _ in range(self.TIMES):
            np.matmul(self._a, self._b, out=self._product)


def time_steps(step: Callable[[], Any], seconds: float) -> list[float]:
    """Warm up for a third of ``seconds``, then return the times of the steps that fit into them.

    Those count during which the core has its full rate, if it comes within ten times as long.
    """
    _until(step, seconds / 3, WARM_UP)
    core, times = Core(10 * seconds), list[float]()
    while len(times) < LEAST or (sum(times) < seconds and len(times) < MOST):
        full = core.wait()
        some = _until(step, min(seconds, SLICE), 1)
        if (full and core.is_full()) or core.patience <= 0:
            times += some
        else:
            core.patience -= sum(some)
    return times


def _until(step: Callable[[], Any], seconds: float, least: int) -> list[float]:
    times: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < deadline and len(times) < MOST):
        times.append(seconds_of(step))
    return times


def spread(values: list[float]) -> dict[str, float]:
    """Return median and quartiles."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "low": low, "high": high}


def sgemm_peak(square_product: Callable[[int], Callable[[], Any]]) -> float:
    """Return the highest rate of a matrix product, in FLOP/s."""
    rates = []
    for n in SIZES:
        product = square_product(n)
        rates += [2 * n**3 / seconds_of(product) for _ in range(PRODUCTS)]
    return max(rates)
