"""Stop a training that no longer improves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .callbacks import Callback
from .history import EpochRecord
from .preparation import require_count

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Stop after ``patience`` epochs in a row without a better accuracy.

    The accuracy is that on the Trainer's validation set, or without one on the training images. The
    decision follows from the history alone: a resumed training stops after the same epoch.

    Parameters
    ----------
    patience : int
    min_delta : float
        An accuracy is better if it is above the best one so far by more than this.

    Raises
    ------
    ArgumentError
        If the patience is not 1 or more, or ``min_delta`` is not a share, 0 or more and below 1.

    References
    ----------
    Prechelt, "Early Stopping - But When?", 1998, section 2.1 (criterion UP, for the accuracy).

    Examples
    --------
    >>> from pellucid import data, models
    >>> from pellucid.training import Trainer
    >>> train, test = data.digits()
    >>> train, validation = data.held_out_images(train, 0.2, split="validation")
    >>> trainer = Trainer(
    ...     models.SimpleConvNet((1, 8, 8)), train.take(100), validation, lr=1e-9, epochs=9,
    ...     callbacks=[EarlyStopping(patience=2)]
    ... )
    >>> len(trainer.fit().epochs), trainer.stopped
    (3, 'no better validation accuracy in 2 epochs (epoch 1 is the best)')
    """

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        require_count(patience, "patience")
        if not 0 <= min_delta < 1:
            raise ArgumentError(
                f"must be a difference of accuracies, 0 or more and below 1; received {min_delta}.",
                where="min_delta",
            )
        self.patience, self.min_delta = patience, min_delta

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Stop a resumed training that had stopped already."""
        self._look(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Stop if this was the last epoch to wait for."""
        self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        records = trainer.history.epochs
        if records and records[-1].epoch - (best := self._best(records)) >= self.patience:
            what = records[-1].role or "training"
            epochs = f"{self.patience} epoch{'s' * (self.patience != 1)}"
            trainer.stop(f"no better {what} accuracy in {epochs} (epoch {best} is the best)")

    def _best(self, records: Sequence[EpochRecord]) -> int:
        """Return the last epoch that was better than all before."""
        best, epoch = -math.inf, 0
        for record in records:
            if record.accuracy > best + self.min_delta:
                best, epoch = record.accuracy, record.epoch
        return epoch
