"""Early stopping by the rule of scikit-learn's MLPClassifier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..training import Callback, EpochRecord, Trainer

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["EarlyStopping", "Enough"]


class Enough(Exception):  # noqa: N818  # not an error
    """Ends a training after an epoch."""


class EarlyStopping(Callback):
    """Stop when the validation accuracy has not risen by ``tol`` for ``patience`` epochs.

    Attributes
    ----------
    scores : list of float
        The validation accuracy after each epoch.
    best : dict of key to array, or None
        The model's state after the best epoch.
    """

    def __init__(self, patience: int, tol: float) -> None:
        self.patience, self.tol = patience, tol
        self.scores: list[float] = []
        self.best: dict[str, Array] | None = None
        self._highest, self._waited = -math.inf, 0

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Keep the state of the best epoch; end the training if it was too long ago."""
        score = record.test_accuracy
        assert score is not None
        self.scores.append(score)
        self._waited = self._waited + 1 if score < self._highest + self.tol else 0
        if score > self._highest:
            self._highest = score
            self.best = trainer.model.state_dict()
        if self._waited >= self.patience:
            raise Enough
