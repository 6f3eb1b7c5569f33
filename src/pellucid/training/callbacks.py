"""Callbacks: named hooks of a training, each of which does nothing by default."""

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
        """While the engine waits for a kernel that this machine has not compiled before."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_gradients(self, trainer: Trainer) -> None:
        """Between backward and update: each parameter's ``grad`` may be read, or changed in place.

        ``trainer.model.parameters()`` has them; a clip by ``clip_norm`` comes after. If a callback
        raises, the batch is undone.
        """

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """After the update; ``loss`` is the batch's, before it."""

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """After the last batch of an epoch, before it is evaluated."""

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """After an epoch has been evaluated."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """When the training ends, also when it was interrupted or failed.

        Every callback is called, whatever the others raise, also if an `on_fit_begin` failed.
        """


class HistoryFile(Callback):
    """Keep ``path`` an up-to-date CSV file of the history, one row an epoch."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Rewrite the whole file, which is therefore complete at every moment."""
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

    If a resumed training does not find the file of its earlier epochs, it is the best of the epochs
    since then. A model that was chosen by its accuracy on some images looks too good on them: keep
    the test set out of the Trainer, and measure on it once.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._lost = -1.0  # the best accuracy saved since then, if the best model is lost

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Save the model again if it is that of the best epoch and its file is missing."""
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
    """Return a list of callbacks, or refuse anything else.

    Raises
    ------
    ArgumentError
        If it is not a list, or one of them is a class, a function, or has no hooks.
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
    """Call ``hook`` of each in order; a callback may remove itself from the list."""
    for callback in list(callbacks):
        getattr(callback, hook)(trainer, *news)


def tell_the_end(
    callbacks: Sequence[Callback], trainer: Trainer, failure: BaseException | None = None
) -> None:
    """Call ``on_fit_end`` of each, whatever the others raise.

    The first error is raised afterwards, unless it is the ``failure`` that ended the training; an
    interruption takes precedence over errors. The others are added to it as notes.
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
                first.add_note(f"There was also {lesser!r}, in on_fit_end or before it.")
    if first is not None and first is not failure:
        raise first
