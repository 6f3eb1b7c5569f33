"""The history of a training: losses of batches, accuracies of epochs."""

from __future__ import annotations

import csv
import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

from ..errors import DataNotFoundError, FileFormatError
from ..formats import describe_file
from ..typing import PathLike

__all__ = ["EpochRecord", "History"]

_ADVICE = "Give a run folder or its history.csv."


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: mean loss of its batches, accuracies after it, and its duration.

    Loss and accuracy on the Trainer's validation set are ``validation_loss`` and
    ``validation_accuracy``; if that is a test set (`Dataset.split` says so), as in a run without a
    validation set, they are ``test_loss`` and ``test_accuracy``. What was not measured is None.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None

    @property
    def role(self) -> str | None:
        """What the set is for that epochs are compared on: "validation", "test" or, without, None.

        Examples
        --------
        >>> EpochRecord(1, 0.5, 0.9, None, None, 2.0, 0.6, 0.875).role
        'validation'
        """
        if self.validation_accuracy is not None:
            return "validation"
        return None if self.test_accuracy is None else "test"

    @property
    def held_loss(self) -> float | None:
        """The loss on that set."""
        return self.test_loss if self.validation_loss is None else self.validation_loss

    @property
    def held_accuracy(self) -> float | None:
        """The accuracy on that set."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy

    @property
    def accuracy(self) -> float:
        """The accuracy that epochs are compared by: on that set, or on the training images."""
        return self.train_accuracy if self.held_accuracy is None else self.held_accuracy


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

    @property
    def columns(self) -> list[str]:
        """The columns of the table: those for validation only if there is a validation set."""
        validated = any(record.role == "validation" for record in self.epochs)
        names = [each.name for each in fields(EpochRecord)]
        return [name for name in names if validated or not name.startswith("validation_")]

    @property
    def best(self) -> EpochRecord | None:
        """The first epoch with the highest accuracy, as `EpochRecord.accuracy`."""
        return max(self.epochs, key=lambda record: record.accuracy, default=None)

    def __repr__(self) -> str:
        last = f", last={self.epochs[-1]}" if self.epochs else ""
        counts = (f"epochs={len(self.epochs)}", f"batches={len(self.losses)}")
        return f"History({', '.join(counts)}{last})"

    def _repr_html_(self) -> str | None:
        from .pages import history_html

        return history_html(self)

    def mean_loss(self, batches: int, batch_size: int, images: int) -> float:
        """Return the mean over the images of the last epoch; its last batch may be smaller."""
        sizes = [batch_size] * (batches - 1) + [images - batch_size * (batches - 1)]
        losses = zip(self.losses[-batches:], sizes, strict=True)
        return math.fsum(loss * size for loss, size in losses) / images

    def write_csv(self, file: TextIO) -> None:
        """Write a header and one row per epoch; a missing measurement is an empty cell.

        All cells are numbers, so that a spreadsheet cannot take one for a formula.
        """
        writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(asdict(record) for record in self.epochs)

    @classmethod
    def read_csv(cls, path: PathLike) -> History:
        """Read a file of `write_csv`: the epochs, without the losses of their batches.

        Unknown columns are ignored.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file, or it is not a history.
        """
        try:
            with Path(path).open(newline="", encoding="utf-8-sig") as file:  # Excel's BOM
                table = csv.DictReader(file)
                rows, columns = list(table), set(table.fieldnames or ())
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no file '{path}'.") from error
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FileFormatError(
                f"'{path}' cannot be read as a history: it is {describe_file(path)}. {_ADVICE}"
            ) from error
        try:
            for each in fields(EpochRecord):
                if each.default is MISSING and each.name not in columns:
                    other = any(";" in column for column in columns)
                    hint = ": write it with commas between cells, and decimal points" * other
                    raise ValueError(f"it has no column {each.name!r}{hint}")
            epochs = [_record(row) for row in rows]
        except (KeyError, ValueError, TypeError) as error:
            raise FileFormatError(
                f"'{path}' is not a history of a training ({error}); it is {describe_file(path)}. "
                "A history has a header and a row per epoch, as `write_csv` writes them."
            ) from error
        if [record.epoch for record in epochs] != list(range(1, len(epochs) + 1)):
            raise FileFormatError(f"'{path}' must have the epochs 1, 2, 3, ... in order.")
        return cls([], epochs)


def _record(row: dict[str, Any]) -> EpochRecord:
    values: dict[str, Any] = {}
    for each in fields(EpochRecord):
        if each.name not in row and each.default is not MISSING:
            continue
        text = row[each.name]
        number = int if each.name == "epoch" else float
        unmeasured = not text and "None" in str(each.type)
        values[each.name] = None if unmeasured else number(text)
    return EpochRecord(**values)
