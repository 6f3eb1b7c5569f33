"""Quantize a trained model, and measure what that costs and gains."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .listener import Listener
from .predictions import BATCH, measure

if TYPE_CHECKING:
    from pathlib import Path

    from ..data import Dataset
    from ..nn import Layer

__all__ = ["Measured", "images_a_second", "measured"]

SECONDS, TIMES = 0.3, 5  # of each measurement of the speed, and how many there are


@dataclass(frozen=True)
class Measured:
    """A model on a test set.

    Attributes
    ----------
    accuracy, loss : float
    size : int
        Bytes of its file.
    speed : float
        Images a second, in batches of 100 or fewer.
    """

    accuracy: float
    loss: float
    size: int
    speed: float


def measured(
    models: list[tuple[Layer, Path]], test: Dataset, *, listener: Listener | None = None
) -> list[Measured]:
    """Return what each model does on the test set, given with its file.

    The speeds are measured in turns, as the machine may have other work.
    """
    found = [measure(model, test, listener=listener) for model, _ in models]
    speeds = images_a_second([model for model, _ in models], test)
    return [
        Measured(result.accuracy, result.loss, path.stat().st_size, speed)
        for result, (_, path), speed in zip(found, models, speeds, strict=True)
    ]


def images_a_second(models: list[Layer], test: Dataset) -> list[float]:
    """Return how many images a second each model computes, the median of several measurements."""
    import numpy as np

    from ..training.engines import as_engine

    x, _ = test.batch(slice(0, BATCH))
    runs = [as_engine("compiled").prepare(m, x.shape[1:], len(x), frozen=True) for m in models]
    for run in runs:
        for _ in range(3):  # the first calls pack the weights
            run(x)
    rates: list[list[float]] = []
    for _ in range(TIMES):
        rates.append([])
        for run in runs:
            begin, calls = time.perf_counter(), 0
            while time.perf_counter() - begin < SECONDS:
                run(x)
                calls += 1
            rates[-1].append(calls * len(x) / (time.perf_counter() - begin))
    return [float(rate) for rate in np.median(rates, axis=0)]
