"""Early stopping that keeps the best weights in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..training import EarlyStopping, EpochRecord, Trainer

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["StopAtBest"]


class StopAtBest(EarlyStopping):
    """Stop as `EarlyStopping`, and keep the weights of the best epoch.

    Attributes
    ----------
    best : dict of key to array
        The model's state after the best epoch so far.
    """

    best: dict[str, Array]

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Copy the weights of the best epoch; stop if it was too long ago."""
        if trainer.best is not None and trainer.best.epoch == record.epoch:
            self.best = trainer.model.state_dict()
        super().on_epoch_end(trainer, record)
