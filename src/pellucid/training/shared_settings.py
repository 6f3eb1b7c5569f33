"""What callbacks of rank 0 may change during a training, for the other ranks to do the same."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import PellucidError
from ..typing import Array
from .callbacks import changes_gradients

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["SharedSettings"]

NAMES = ("stopped", "epochs", "schedule", "clip_norm", "warmup", "evaluate_samples")


class SharedSettings:
    """The attributes of a Trainer, its optimizer and its parameters that decide what it does next.

    A callback may stop the training, or change a rate.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._known: dict[str, Any] = {}

    def look(self) -> None:
        """Note what is set now, equally on all ranks."""
        self._known = self._now()
        self._validation, self._optimizer = self._trainer.validation, self._trainer.optimizer

    def changed(self) -> dict[str, Any]:
        """Return what is not as it was at the last `look`, or when this was last called."""
        trainer = self._trainer
        for name, before in (("validation", self._validation), ("optimizer", self._optimizer)):
            if getattr(trainer, name) is not before:
                raise PellucidError(
                    "cannot be replaced while several ranks train.",
                    where=name,
                )
        now, known = self._now(), self._known
        news = {name: value for name, value in now.items() if value != known[name]}
        if news:
            _require_sendable(news)
        self._known = now
        return news

    def take_over(self, news: dict[str, Any]) -> None:
        """Set what another rank `changed`."""
        trainer, parameters = self._trainer, list(self._trainer.model.parameters().values())
        for name, value in news.items():
            if name == "optimizer":
                for constant, number in value.items():
                    setattr(trainer.optimizer, constant, number)
            elif name in ("rate", "decay"):
                for p, factor in zip(parameters, value, strict=True):
                    setattr(p, name, factor)
            else:
                setattr(trainer, name, value)
        self._known = self._now()

    def marks(self) -> tuple[int, int, bool]:
        """Return what must be the same on all ranks when none has anything to tell.

        The bits of the last rate, the number of callbacks that change gradients, and whether
        anything is not as all ranks know it.
        """
        trainer = self._trainer
        rate = np.nan if trainer.last_lr is None else trainer.last_lr
        changing = sum(changes_gradients(each) for each in trainer.callbacks)
        return int(np.float64(rate).view(np.uint64)), changing, self._now() != self._known

    def require_same(self, marks: Array) -> None:
        """Refuse to go on if the `marks` (ranks, 3) are not the same on all ranks."""
        differ = (marks != marks[0]).any(axis=0)
        if not differ.any():
            return
        if differ[0]:
            rates = marks[:, 0].copy().view(np.float64)
            what = f"took the last step with different learning rates ({_listed(rates)})"
            how = "A callback that changes a schedule"
        elif differ[2]:
            what = f"do not agree: rank {int(marks[:, 2].argmax())} has other settings than rank 0"
            how = "A callback that stops the training, or changes a rate, in `on_gradients`"
        else:
            what = (
                f"have different numbers of callbacks with `on_gradients` ({_listed(marks[:, 1])})"
            )
            how = "A callback that adds or removes one"
        error = PellucidError(
            f"the ranks {what}. {how} must do so on all of them: one that has an `on_gradients` is "
            "called there.",
            where="Trainer",
        )
        if differ[0]:  # each rank has updated its part of the weights
            self._trainer._broken = error
        raise error

    def _now(self) -> dict[str, Any]:
        trainer, parameters = self._trainer, list(self._trainer.model.parameters().values())
        own = {name: getattr(trainer, name) for name in NAMES}
        factors = {name: [getattr(p, name) for p in parameters] for name in ("rate", "decay")}
        return own | {"optimizer": trainer.optimizer.config()} | factors


def _listed(values: Array) -> str:
    """Return the value of each rank, in order; of many ranks the first few."""
    few = ", ".join(f"{value:.6g}" for value in values[:8])
    return few + ", ..." * (len(values) > 8)


def _require_sendable(news: dict[str, Any]) -> None:
    for name, value in news.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise PellucidError(
                f"the new {name} of rank 0 cannot be sent to the other ranks ({error}). Set it "
                "before the training.",
                where=name,
            ) from error
