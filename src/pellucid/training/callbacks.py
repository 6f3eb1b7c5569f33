"""What can happen beside a training: named hooks, each of which does nothing by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..formats import atomic_write, save
from ..typing import PathLike
from .history import EpochRecord

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling
    from .trainer import Trainer

__all__ = [
    "BestModel",
    "Callback",
    "HistoryFile",
    "LastModel",
    "as_callbacks",
    "tell",
    "tell_the_end",
]


class Callback:
    """Base class: override the hooks you need."""

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Before the first batch."""

    def on_compile(self, trainer: Trainer, news: Compiling) -> None:
        """While the fast engine waits for a kernel that this machine has not compiled before."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """After the update; ``loss`` is the batch's, before it."""

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """After the last batch of an epoch, before it is measured."""

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """After an epoch was measured."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """When the training ends, also when it was interrupted or failed.

        Every callback is told, whatever the others raise, and also where an `on_fit_begin` failed.
        """


class HistoryFile(Callback):
    """Keep ``path`` an up-to-date CSV file of the history, one row an epoch."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write all rows anew, so that the file is whole at every moment."""
        with atomic_write(self.path) as part, part.open("w", newline="", encoding="utf-8") as file:
            trainer.history.write_csv(file)


class LastModel(Callback):
    """Keep in ``path`` the model as it was after the last finished epoch."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Save the model."""
        save(trainer.model, self.path)


class BestModel(Callback):
    """Keep in ``path`` the model of the best epoch so far, by the accuracy the Trainer watches.

    Where a resumed training does not find the file of its earlier epochs, it is the best one of
    those since. A model that was chosen by its accuracy on some images looks too good on them: keep
    the test set out of the Trainer, and measure on it once.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._lost = -1.0  # the best accuracy of those that were saved since, if the best is lost

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Look whether the model of the best epoch is there."""
        best = trainer.best
        if best is not None and best.epoch == trainer.epoch and not self.path.exists():
            save(trainer.model, self.path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Save the model if this epoch is the best one."""
        tested = record.test_accuracy
        accuracy = record.train_accuracy if tested is None else tested
        best = trainer.best is not None and trainer.best.epoch == record.epoch
        lost = self._lost >= 0 or not self.path.exists()
        if best or (lost and accuracy > self._lost):
            save(trainer.model, self.path)
            self._lost = -1.0 if best else accuracy


def as_callbacks(callbacks: Any) -> list[Callback]:
    """Return a list of callbacks, or refuse what is none.

    Raises
    ------
    ArgumentError
        If it is no list, or one of them is a class, a function, or has no hooks.
    """
    if isinstance(callbacks, Callback) or not hasattr(callbacks, "__iter__"):
        raise ArgumentError(
            f"must be a list, received {callbacks!r}. Write `callbacks=[...]` around it.",
            where="callbacks",
        )
    given = list(callbacks)
    hooks = [name for name in vars(Callback) if name.startswith("on_")]
    for each in given:
        if isinstance(each, type) or not all(callable(getattr(each, h, None)) for h in hooks):
            name = each.__name__ if isinstance(each, type) else "MyCallback"
            raise ArgumentError(
                f"must be objects of classes derived from Callback, received {each!r}. Give "
                f"`{name}(...)`.",
                where="callbacks",
            )
    return given


def tell(callbacks: Sequence[Callback], hook: str, trainer: Trainer, *news: object) -> None:
    """Call ``hook`` of each, one after the other; one may take itself out of the list."""
    for callback in list(callbacks):
        getattr(callback, hook)(trainer, *news)


def tell_the_end(
    callbacks: Sequence[Callback], trainer: Trainer, failure: BaseException | None = None
) -> None:
    """Call ``on_fit_end`` of each, whatever the others raise.

    The first error is raised then, unless it is the ``failure`` that the training ends with; an
    interruption goes before errors. The others are noted in it.
    """
    first = failure
    for callback in list(callbacks):
        try:
            callback.on_fit_end(trainer)
        except BaseException as error:
            lesser: BaseException | None = error
            if first is None or (isinstance(first, Exception) and not isinstance(error, Exception)):
                first, lesser = error, first
            if lesser is not None:
                first.add_note(f"Besides, there was {lesser!r}, in on_fit_end or before it.")
    if first is not None and first is not failure:
        raise first
