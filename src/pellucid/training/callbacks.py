"""Callbacks: named hooks of a training, no-ops by default."""

from __future__ import annotations

import io
import os
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
    "changes_gradients",
    "tell",
    "tell_the_end",
]


class Callback:
    """Base class: override the hooks you need.

    If several ranks share a training, the hooks are called on rank 0. There they may stop the
    training, or set rates of learning. A callback that has an `on_gradients` is called on all ranks
    instead, in all its hooks; so must be one that changes weights, or anything else that decides
    what is learned.
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Before the first batch."""

    def on_compile(self, trainer: Trainer, news: Compiling) -> None:
        """While the engine waits for a kernel to be compiled on this machine for the first time."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_gradients(self, trainer: Trainer) -> None:
        """Between backward and update: each parameter's ``grad`` may be read, or changed in place.

        The parameters are ``trainer.model.parameters()``; ``clip_norm`` clips afterwards. If a
        callback raises, the batch is undone.
        """

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """After the update; ``loss`` is that of the batch before the update."""

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """After the last batch of an epoch, before it is evaluated."""

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """After an epoch has been evaluated."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """When the training ends, also if it was interrupted or failed.

        Every callback is called, even if others raise or an `on_fit_begin` failed.
        """


class HistoryFile(Callback):
    """Append a row to the CSV file ``path`` after each epoch, so that others can follow it.

    A file that does not hold the epochs before is replaced.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Append the epoch's row."""
        text = io.StringIO(newline="")
        trainer.history.write_csv(text)
        whole = text.getvalue().encode()
        last = whole.rindex(b"\n", 0, -1) + 1  # where the last row begins
        there = self.path.read_bytes() if self.path.is_file() else b""
        if there == whole[:last]:
            self._append(whole[last:], last)
        elif there != whole:
            with atomic_write(self.path) as part:
                part.write_bytes(whole)

    def _append(self, row: bytes, size: int) -> None:
        """Write a row after the first ``size`` bytes, or leave the file as it was."""
        with self.path.open("r+b", buffering=0) as file:
            file.seek(size)
            try:
                if (written := file.write(row)) != len(row):  # what no longer fits is an error
                    file.write(row[written:])
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise


class LastModel(Callback):
    """Save the model to ``path`` after each epoch."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Save the model, with its averaged weights if there are any."""
        with trainer.averaged():
            save(trainer.model, self.path)


class BestModel(Callback):
    """Save the model of the best epoch so far to ``path``, by the Trainer's validation accuracy.

    If a resumed training does not find its earlier file, the best epoch since then is saved. The
    accuracy that selected a model is optimistic: keep the test set out of the Trainer, and measure
    on it once.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._lost = -1.0  # the best accuracy saved since, if the best model's file is missing

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Save the model again if it is the best epoch's and the file is missing."""
        best = trainer.best
        between = len(trainer.history.losses) == trainer.epoch * len(trainer.loader)
        here = best is not None and best.epoch == trainer.epoch and between
        if here:  # the file may be missing, or of an earlier epoch
            self._save(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Save the model if this epoch is the best."""
        accuracy = record.accuracy
        best = trainer.best is not None and trainer.best.epoch == record.epoch
        lost = self._lost >= 0 or not self.path.exists()
        if best or (lost and accuracy > self._lost):
            self._save(trainer)
            self._lost = -1.0 if best else accuracy

    def _save(self, trainer: Trainer) -> None:
        with trainer.averaged():
            save(trainer.model, self.path)


def as_callbacks(callbacks: Any) -> list[Callback]:
    """Return a list of callbacks, or refuse anything else.

    Raises
    ------
    ArgumentError
        If it is not a list, or one of them is a class, a function, or has no hooks.
    """
    if isinstance(callbacks, Callback) or not hasattr(callbacks, "__iter__"):
        raise ArgumentError(
            f"must be a list, received {callbacks!r}. Write `callbacks=[...]`.",
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


def changes_gradients(callback: Callback) -> bool:
    """Return whether a callback has an ``on_gradients`` of its own."""
    hook = callback.on_gradients
    return getattr(hook, "__func__", hook) is not Callback.on_gradients


def tell(callbacks: Sequence[Callback], hook: str, trainer: Trainer, *news: object) -> None:
    """Call ``hook`` of each callback in order; one may remove itself from the list."""
    for callback in list(callbacks):
        getattr(callback, hook)(trainer, *news)


def tell_the_end(
    callbacks: Sequence[Callback], trainer: Trainer, failure: BaseException | None = None
) -> None:
    """Call ``on_fit_end`` of each callback, even if others raise.

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
