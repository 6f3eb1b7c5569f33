"""The files of a run, written after each epoch."""

from __future__ import annotations

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
from .config import write_config
from .folder import PICTURES, REPORT, RunFolder
from .listener import Listener

if TYPE_CHECKING:
    from ..data import Split
    from .settings import Settings

__all__ = ["RunFiles"]


class RunFiles(Callback):
    """Write model, filters, history and settings after each epoch.

    Before the first epoch is finished nothing is touched: a run that is to be replaced stays.

    Parameters
    ----------
    folder : RunFolder
    settings : Settings
    split : Split, optional
        Which image is used for what, where they are files of a folder.
    listener : Listener, optional
        Its `Listener.writing` surrounds the writing.
    keep : {"last", "best", "both"}
        Which epoch's model is kept.

    Attributes
    ----------
    saved : int
        The epoch whose model is in the folder; 0 if there is none yet.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        split: Split | None = None,
        listener: Listener | None = None,
        *,
        keep: str = "last",
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.split = split
        self.listener = listener or Listener()
        self.saved = 0
        models = {folder.model: LastModel(folder.model), folder.best: BestModel(folder.best)}
        kept = {"last": (folder.model,), "best": (folder.best,)}.get(keep, tuple(models))
        self._others = [path for path in models if path not in kept]
        self._writers: tuple[Callback, ...] = (  # the history last: the epochs it lists are there
            *(models[path] for path in kept),
            FilterFile(folder.filters),
            HistoryFile(folder.history),
        )

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Keep the filters of the untrained network."""
        for writer in self._writers:
            writer.on_fit_begin(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write the files."""
        try:
            with self.listener.writing():
                for writer in self._writers:
                    writer.on_epoch_end(trainer, record)
                if not self.saved:
                    self._write_split()
                    write_config(self.folder.config, self.settings)
                    pictures = [self.folder.path / name for name in (*PICTURES, REPORT)]
                    for old in (*pictures, *self._others):  # of the run that is replaced
                        old.unlink(missing_ok=True)
                self.saved = record.epoch
        except OSError as error:
            left = f"epoch {self.saved} is complete" if self.saved else "nothing was changed"
            raise PellucidError(
                f"epoch {record.epoch} could not be written ({error}). In '{self.folder}' {left}. "
                "Free some space on the disk, or choose another place with {folder}.",
                arguments={"folder": ...},
            ) from error

    def _write_split(self) -> None:
        if self.split is not None:
            self.split.save(self.folder.split)
        else:  # of the run that is replaced
            self.folder.split.unlink(missing_ok=True)
