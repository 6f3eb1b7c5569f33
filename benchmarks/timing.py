"""Time in a process: repeated steps, and the machine's sgemm peak."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["seconds_of", "sgemm_peak", "spread", "time_steps", "timed"]

Kind = TypeVar("Kind")
WARM_UP, LEAST, MOST = 3, 10, 20_000  # steps
SIZES, PRODUCTS = (768, 1536), 12  # matrices large enough for the peak, small enough to be quick


def timed(work: Callable[[], Kind]) -> tuple[Kind, float]:
    """Return the result of ``work``, and its duration in seconds."""
    begin = time.perf_counter()
    made = work()
    return made, time.perf_counter() - begin


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the duration of ``work`` in seconds."""
    return timed(work)[1]


def time_steps(step: Callable[[], Any], seconds: float) -> list[float]:
    """Warm up for a third of ``seconds``, then return the times of the steps that fit into them."""
    _until(step, seconds / 3, WARM_UP)
    return _until(step, seconds, LEAST)


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
