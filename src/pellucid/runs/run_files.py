"""The files of a run, written during the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import PellucidError
from ..training import (
    BestModel,
    Callback,
    EpochRecord,
    FilterFile,
    HistoryFile,
    LastModel,
    Trainer,
)
from .checkpoint import RunCheckpoint
from .config import write_config
from .folder import CHECKPOINT, CONFIG, FILES, LOGS, PICTURES, REPORT, SPLIT, RunFolder
from .listener import Listener

if TYPE_CHECKING:
    from ..data import Split
    from ..typing import Array
    from .settings import Settings

__all__ = ["RunFiles"]


class RunFiles(Callback):
    """Write the checkpoint, and after each epoch model, filters and history.

    The checkpoint comes first, and every other file can be written again from it: a run that is
    killed at any moment goes on from there. An empty folder gets checkpoint, settings and split
    before the first batch. A run that is to be replaced stays until the first checkpoint within, or
    after, the first epoch.

    Parameters
    ----------
    folder : RunFolder
    settings : Settings
    split : Split, optional
        Which image is used for what, where they are files of a folder.
    listener : Listener, optional
        Its `Listener.writing` surrounds the writing.
    before : dict of str to array
        The first filters before the training, by their key.
    resumed : bool
        Whether the files of this run are in the folder already.
    keep : {"last", "best", "both"}
        Which epoch's model is kept.

    Attributes
    ----------
    saved : int
        The epoch whose model is in the folder; 0 if there is none yet.
    begun : bool
        Whether the folder holds a checkpoint of this run.
    kept : bool
        Whether that checkpoint is worth keeping before the first epoch is finished: the run was
        resumed, or minutes of work are in it.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        split: Split | None = None,
        listener: Listener | None = None,
        *,
        before: Mapping[str, Array] | None = None,
        resumed: bool = False,
        keep: str = "last",
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.split = split
        self.listener = listener or Listener()
        self.saved = 0
        self.kept = self._resumed = resumed
        self.begun = resumed
        before = dict(before or {})
        self._checkpoint = RunCheckpoint(folder, settings, split, before)
        last, best = LastModel(folder.model), BestModel(folder.best)
        models: dict[str, list[Callback]] = {"last": [last], "best": [best], "both": [last, best]}
        self._writers: tuple[Callback, ...] = (  # the history last: the epochs it lists are there
            *models[keep],
            FilterFile(folder.filters, next(iter(before.values()), None)),
            HistoryFile(folder.history),
        )

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Write the first checkpoint, or mend what an interruption has left."""
        for each in (self._checkpoint, *self._writers):
            each.on_fit_begin(trainer)
        if self._resumed:
            self._mend(trainer)
        elif self.begun:
            if _is_whole(trainer) and self.saved < trainer.epoch:  # the writing was interrupted
                with self._writing(f"epoch {trainer.epoch}"):
                    self._write_epoch(trainer, trainer.history.epochs[-1])
        elif not any(self.folder.path.iterdir()):
            with self._writing("the first checkpoint"):
                self._begin(trainer)

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Write a checkpoint if the last one is minutes old."""
        if self._checkpoint.due():
            with self._writing(f"a checkpoint within epoch {trainer.epoch + 1}"):
                self._write_checkpoint(trainer)
            self.kept = True

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write the files."""
        with self._writing(f"epoch {record.epoch}"):
            if self.begun:
                self._remove_pictures()  # of an earlier epoch
            self._write_checkpoint(trainer)
            self._write_epoch(trainer, record)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write the state that the training ended in, if the folder is this run's."""
        if self.begun and self._checkpoint.behind(trainer):
            with self._writing("the last checkpoint"):
                self._checkpoint.on_fit_end(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write a checkpoint now, which is then worth keeping."""
        with self._writing(f"a checkpoint within epoch {trainer.epoch + 1}"):
            self._write_checkpoint(trainer)
        self.kept = True

    def go_back(self, trainer: Trainer) -> None:
        """Write the files again for a Trainer that has loaded the state of an earlier epoch."""
        for each in self._writers:
            each.on_fit_begin(trainer)
        self._remove_pictures()
        self._resumed = True
        self._mend(trainer)

    def withdraw(self) -> None:
        """Remove what was written of a run that came to nothing."""
        if self.begun and not self.kept:
            for name in (CHECKPOINT, CONFIG, SPLIT):
                (self.folder.path / name).unlink(missing_ok=True)

    def _write_checkpoint(self, trainer: Trainer) -> None:
        if self.begun:
            self._checkpoint.write(trainer)
        else:
            self._begin(trainer)

    def _begin(self, trainer: Trainer) -> None:
        """Write the first checkpoint, after which the folder is this run's and no other's."""
        self._checkpoint.write(trainer)
        self.begun = True
        self._write_settings()
        # After the first epoch, all can be written again from the checkpoint.
        if not self._resumed or trainer.epoch <= _is_whole(trainer):
            # Of the run that is replaced; its logs are gone, these are of the new one.
            for name in FILES.keys() - {CHECKPOINT, CONFIG, SPLIT, *LOGS}:
                (self.folder.path / name).unlink(missing_ok=True)

    def _mend(self, trainer: Trainer) -> None:
        """Write the files that a run which was killed right after a checkpoint could not write."""
        with self._writing("the checkpoint"):
            self._begin(trainer)
            if trainer.epoch and _is_whole(trainer):
                self._write_epoch(trainer, trainer.history.epochs[-1])
            self.saved, self._resumed = trainer.epoch, False

    def _write_epoch(self, trainer: Trainer, record: EpochRecord) -> None:
        for writer in self._writers:
            writer.on_epoch_end(trainer, record)
        self.saved = record.epoch

    def _remove_pictures(self) -> None:
        for picture in (*PICTURES, REPORT):
            (self.folder.path / picture).unlink(missing_ok=True)

    def _write_settings(self) -> None:
        if self.split is not None:
            self.split.save(self.folder.split)
        else:  # of the run that is replaced
            self.folder.split.unlink(missing_ok=True)
        write_config(self.folder.config, self.settings)

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Let interruptions wait; say what is left if the disk is full."""
        try:
            with self.listener.writing():
                yield
        except OSError as error:
            raise PellucidError(
                f"{what} could not be written ({error}). In '{self.folder}' {self._left()}. "
                "Free some space on the disk, or choose another place with {folder}.",
                arguments={"folder": ...},
            ) from error

    def _left(self) -> str:
        if not self.begun:
            return "nothing was changed"
        left = f"epoch {self.saved} is complete" if self.saved else "no epoch is complete yet"
        return f"{left}, and the last checkpoint is whole: the training can go on from it"


def _is_whole(trainer: Trainer) -> bool:
    """Return whether the training stands between two epochs."""
    return len(trainer.history.losses) == trainer.epoch * len(trainer.loader)
