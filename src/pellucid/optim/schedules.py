"""Schedules: how the learning rate changes over a training.

A schedule is a function of the completed share of the training, from 0 to 1, that returns a factor
for the optimizer's rate. Any such function will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..errors import ArgumentError, did_you_mean

__all__ = [
    "SCHEDULES",
    "Schedule",
    "as_schedule",
    "cosine",
    "one_cycle",
    "require_share",
    "schedule_by_name",
    "schedule_name",
    "share_done",
    "steps",
]

Schedule: TypeAlias = Callable[[float], float]


def cosine(done: float) -> float:
    """Return ``(1 + cos(π · done)) / 2``: from 1 to 0, gently at both ends.

    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", section 3,
    eq. 5, without restarts.

    Examples
    --------
    >>> cosine(0), cosine(0.5), cosine(1)
    (1.0, 0.5, 0.0)
    """
    return round((1 + math.cos(math.pi * done)) / 2, 12)


def one_cycle(done: float) -> float:
    """Return 0.1 at the start, 1 at three tenths, 0 at the end, linear in between.

    Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large
    learning rates", section 4; the optimizer's rate is the peak.

    Examples
    --------
    >>> one_cycle(0), one_cycle(0.3), one_cycle(1)
    (0.1, 1.0, 0.0)
    """
    return float(np.interp(done, [0, 0.3, 1], [0.1, 1, 0]))


def steps(done: float) -> float:
    """Return 1 in the first half, 0.1 until three quarters, 0.01 after that.

    He et al. 2015, "Deep residual learning", section 4.2, where it is 32,000 and 48,000 of 64,000.

    Examples
    --------
    >>> steps(0.4), steps(0.5), steps(0.8)
    (1.0, 0.1, 0.01)
    """
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


SCHEDULES: dict[str, Schedule] = {"cosine": cosine, "one-cycle": one_cycle, "steps": steps}


def schedule_by_name(name: str) -> Schedule:
    """Return the schedule called ``name``.

    Raises
    ------
    ArgumentError
        If no schedule has this name; the message suggests the nearest.
    """
    if name.lower() not in SCHEDULES:
        raise ArgumentError(
            f"{name!r} is unknown. {did_you_mean(name, SCHEDULES)}", where="schedule"
        )
    return SCHEDULES[name.lower()]


def as_schedule(schedule: str | Schedule | None) -> Schedule | None:
    """Return a schedule given by name; a function is returned as it is.

    Raises
    ------
    ArgumentError
        If no schedule has this name, or it is not callable.
    """
    if isinstance(schedule, str):
        return schedule_by_name(schedule)
    if schedule is not None and not callable(schedule):
        raise ArgumentError(
            f"must be a name or a function of the completed share, received {schedule!r}.",
            where="schedule",
        )
    return schedule


def schedule_name(schedule: Schedule | None) -> str:
    """Return the name of a schedule: as in `schedule_by_name`, or that of its function.

    Examples
    --------
    >>> schedule_name(one_cycle), schedule_name(None), schedule_name(abs)
    ('one-cycle', 'constant', 'abs')
    """
    if schedule is None:
        return "constant"
    names = (name for name, known in SCHEDULES.items() if known is schedule)
    return next(names, getattr(schedule, "__name__", type(schedule).__name__))


def share_done(steps: int, total: int) -> float:
    """Return the completed share of ``total`` steps, at most 1.

    Examples
    --------
    >>> share_done(5, 20), share_done(5, 4), share_done(0, 0)
    (0.25, 1.0, 1.0)
    """
    return min(steps / total, 1.0) if total > 0 else 1.0


def require_share(share: Any) -> float:
    """Return a schedule's result, if it is a finite number, 0 or more."""
    if np.ndim(share) or not np.issubdtype(type(share), np.number) or not 0 <= share < math.inf:
        raise ArgumentError(
            f"must return a finite number, 0 or more, received {share!r}.", where="schedule"
        )
    return float(share)
