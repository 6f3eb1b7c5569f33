"""The learning-rate range test: the loss over some steps in which the learning rate rises."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, NumericsError
from ..optim.checks import require_positive
from ..typing import Array
from .callbacks import Callback
from .preparation import require_count
from .progress import CompilingNews
from .trainer import Trainer

__all__ = ["RateTest", "find_lr"]

FORGETTING = 0.9  # of the running mean by which a divergence is noticed
DIVERGED = 4  # times the lowest running mean, as in fastai
WIDTH = 0.02  # standard deviation of the smoothing, as a share of the steps
LEAST = 10  # steps
CLEAR = 2  # standard deviations of the loss by which it must fall


@dataclass(frozen=True, repr=False)
class RateTest:
    """The losses of a learning-rate range test, and what follows from them.

    Attributes
    ----------
    rates : tuple of float
        The learning rate of each step, rising.
    losses : tuple of float
        The loss of each step's batch, before the step.
    smoothed : tuple of float
        Their means over neighbouring steps, weighted by a Gaussian whose standard deviation is 2 %
        of the steps. It looks both ways, so that the curve is not late, as a running mean is.
    diverged : bool
        Whether the loss rose so far that the test ended before the highest rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    diverged: bool

    @property
    def lowest(self) -> float | None:
        """The rate at which the smoothed loss is lowest; None if it does not clearly fall."""
        if not self._falls:
            return None
        return self.rates[int(np.argmin(self.smoothed))]

    @property
    def steepest(self) -> float | None:
        """The rate up to `lowest` at which the smoothed loss falls fastest, over log(rate)."""
        if not self._falls:
            return None
        end = int(np.argmin(self.smoothed)) + 1
        slope = np.gradient(self.smoothed, np.log(self.rates))
        return self.rates[int(np.argmin(slope[:end]))]

    @property
    def suggestion(self) -> float | None:
        """The geometric mean of `steepest` and a tenth of `lowest`; None if the loss does not fall.

        These are the two usual readings of the curve. Either alone is often far off: the steepest
        place is near the rate that diverges, and the lowest is late where the loss is noisy.
        """
        if self.lowest is None or self.steepest is None:
            return None
        return math.sqrt(self.steepest * self.lowest / 10)

    @property
    def _falls(self) -> bool:
        """Whether the loss falls by more than its batches differ anyway."""
        end = int(np.argmin(self.smoothed)) if self.smoothed else 0
        if end < 2:
            return False
        noise = float(np.std(np.subtract(self.losses[:end], self.smoothed[:end])))
        return self.smoothed[0] - self.smoothed[end] > CLEAR * noise

    def __repr__(self) -> str:
        return f"RateTest({len(self.losses)} steps, {self})"

    def __str__(self) -> str:
        """Return one or two sentences.

        Examples
        --------
        >>> rates, losses = (0.001, 0.01, 0.1, 1.0), (2.3, 2.0, 0.5, 9.0)
        >>> print(RateTest(rates, losses, losses, diverged=True))
        suggested learning rate 0.01, between 0.01, where the loss falls fastest, and 0.01, a tenth of where it is lowest
        """  # noqa: E501
        if self.suggestion is None:
            over = f"from {self.rates[0]:.2g} to {self.rates[-1]:.2g}" if self.rates else "at all"
            return (
                f"no suggestion: the loss does not clearly fall at any rate {over}. Perhaps the "
                "network is trained already, or its initial weights do not suit it"
            )
        assert self.lowest is not None
        further = ""
        if self.lowest == self.rates[-1] and not self.diverged:
            further = "; the loss still falls at the highest rate of the test, so raise that"
        return (
            f"suggested learning rate {self.suggestion:.2g}, between {self.steepest:.2g}, where "
            f"the loss falls fastest, and {self.lowest / 10:.2g}, a tenth of where it is lowest"
            f"{further}"
        )


def find_lr(
    trainer: Trainer,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    *,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
) -> RateTest:
    """Train a copy of the model for some steps at rising learning rates, and return the losses.

    The rate rises exponentially from ``low`` to ``high``, and the test ends early once the loss is
    four times its lowest, or NaN. Smith 2017, "Cyclical learning rates for training neural
    networks", section 3.3; exponential as in fastai's ``lr_find``.

    The trainer is left as it is: weights, running statistics, optimizer memory, rates, generators
    and history are copied, however the test ends. Its own rate, schedule and warm-up play no part;
    all else of it does, such as batch size, augmentation and clipping. The batches are those of a
    new training, in the order of its seed.

    Parameters
    ----------
    trainer : Trainer
        Before its training, or anywhere in it.
    low, high : float
        Above 0.
    steps : int
        10 or more. A training set with fewer batches is passed over again.
    callbacks : iterable of Callback
        Told of every batch (``on_gradients``, ``on_batch_end``) and of compiled kernels, with the
        copy as their Trainer; those of ``trainer`` are not.
    progress : bool
        Say on a terminal or in a notebook when kernels are compiled.

    Returns
    -------
    RateTest

    Raises
    ------
    ArgumentError
        If the rates or the number of steps are out of range.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8), weight_init=0.1, rng=np.random.default_rng(0))
    >>> trainer = Trainer(model, train, test, batch_size=50)
    >>> found = find_lr(trainer)
    >>> 1e-4 < found.suggestion < 1e-1, len(trainer.history.losses)
    (True, 0)
    """
    low, high = require_positive(low, "low"), require_positive(high, "high")
    require_count(steps, "steps", least=LEAST)
    if not low < high:
        raise ArgumentError(
            f"must be above {{low}}, received {high:g}.", where="high", arguments={"low": low}
        )
    copied = _copy_of(trainer, callbacks)
    copied._showing = [CompilingNews()] if progress else []
    rates = np.geomspace(low, high, steps)
    losses, diverged = _losses(copied, rates)
    smoothed = _smoothed(losses, max(1.0, WIDTH * steps))
    done = tuple(rates[: len(losses)].tolist())
    return RateTest(done, tuple(losses), smoothed, diverged)


def _copy_of(trainer: Trainer, callbacks: Iterable[Callback]) -> Trainer:
    """Return a Trainer that shares only the images and the engine with ``trainer``."""
    return Trainer(
        copy.deepcopy(trainer.model),
        trainer.train,
        loss=copy.deepcopy(trainer.loss),
        optimizer=copy.deepcopy(trainer.optimizer),
        batch_size=trainer.loader.batch_size,
        callbacks=callbacks,
        augment=copy.deepcopy(trainer.augment),
        clip_norm=trainer.clip_norm,
        last_batch=trainer.loader.last_batch,
        engine=trainer.engine,
        seed=trainer.seed,
    )


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def _losses(copied: Trainer, rates: Array) -> tuple[list[float], bool]:
    """Take a step at each rate; return the losses, and whether they diverged."""
    losses = copied.history.losses
    mean = lowest = 0.0
    with copied.engine.watched(copied._run, lambda news: copied._tell("on_compile", news)):
        for rate in rates.tolist():
            copied.lr = rate
            try:
                images = copied._fit_batch()
            except NumericsError:
                return losses, True
            copied._tell("on_batch_end", losses[-1], images)
            mean = FORGETTING * mean + (1 - FORGETTING) * losses[-1]
            now = mean / (1 - FORGETTING ** len(losses))  # the first means are of few
            lowest = min(lowest, now) if len(losses) > 1 else now
            if now > DIVERGED * lowest and now > losses[0]:
                return losses, True
    return losses, False


def _smoothed(losses: list[float], width: float) -> tuple[float, ...]:
    """Return weighted means of neighbouring losses; ``width`` is in steps."""
    steps, found = np.arange(len(losses)), []
    for k in steps:
        weights = np.exp(-0.5 * ((steps - k) / width) ** 2)
        found.append(math.fsum(weights * losses) / math.fsum(weights))
    return tuple(found)
