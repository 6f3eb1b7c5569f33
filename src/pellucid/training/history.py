"""What a training has measured so far."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, field, fields
from typing import TextIO

__all__ = ["EpochRecord", "History"]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: mean loss of its batches, accuracies after it, and how long it took.

    ``test_loss`` and ``test_accuracy`` are None without a test set.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float


@dataclass
class History:
    """The loss of every batch, and a record of every finished epoch.

    Examples
    --------
    >>> history = History()
    >>> history.epochs.append(EpochRecord(1, 0.5, 0.9, 0.6, 0.875, 2.0))
    >>> history.epochs[-1].test_accuracy
    0.875
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)

    def write_csv(self, file: TextIO) -> None:
        """Write a header and one row an epoch; what was not measured stays empty."""
        writer = csv.DictWriter(file, [f.name for f in fields(EpochRecord)])
        writer.writeheader()
        writer.writerows(asdict(record) for record in self.epochs)
