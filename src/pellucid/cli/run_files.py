"""What a training leaves in its run folder, and what is said of it in the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import viz
from ..data import Split
from ..errors import PellucidError
from ..formats import load
from ..training import (
    Callback,
    EpochRecord,
    FilterFile,
    History,
    HistoryFile,
    LastModel,
    Trainer,
)
from . import runs
from .evaluate import measure
from .interrupts import Interrupts
from .messages import echo

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["RunFiles", "report"]


class RunFiles(Callback):
    """Write model, filters, history and settings after each epoch; an interruption waits meanwhile.

    Before the first epoch is finished nothing is touched: with ``--overwrite`` the old run stays.

    Attributes
    ----------
    saved : int
        The epoch whose model is in the folder; 0 if there is none yet.
    """

    def __init__(
        self,
        run: Path,
        settings: Mapping[str, Any],
        interrupts: Interrupts,
        split: Split | None = None,
    ) -> None:
        self.run = run
        self.settings = settings
        self.split = split  # which image is which, where they are files of a folder
        self.interrupts = interrupts
        self.saved = 0
        self._writers = (  # the history last: what it tells of is there
            LastModel(run / runs.MODEL),
            FilterFile(run / runs.FILTERS),
            HistoryFile(run / runs.HISTORY),
        )

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Let them look at the network before it has learned anything."""
        for writer in self._writers:
            writer.on_fit_begin(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write them."""
        try:
            with self.interrupts.held():
                for writer in self._writers:
                    writer.on_epoch_end(trainer, record)
                if not self.saved:
                    self._write_split()
                    runs.write_config(self.run / runs.CONFIG, self.settings)
                    for picture in (*runs.PICTURES, runs.REPORT):  # of the run that is replaced
                        (self.run / picture).unlink(missing_ok=True)
                self.saved = record.epoch
        except OSError as error:
            left = f"epoch {self.saved} is there, whole" if self.saved else "nothing was changed"
            raise PellucidError(
                f"epoch {record.epoch} could not be written ({error}). In '{self.run}' {left}. "
                "Make room on the disk, or choose another place with --out."
            ) from error

    def _write_split(self) -> None:
        if self.split is not None:
            self.split.save(self.run / runs.SPLIT)
        else:  # of the run that is replaced
            (self.run / runs.SPLIT).unlink(missing_ok=True)


def report(files: RunFiles, trainer: Trainer, before: Mapping[str, Array]) -> None:
    """Measure the saved model on all test images, draw the pictures, and say where they are."""
    assert trainer.validation is not None
    model = load(files.run / runs.MODEL)
    result = measure(model, trainer.validation, trainer.engine)
    history = trainer.history
    finished = History(
        history.losses[: files.saved * len(trainer.loader)], history.epochs[: files.saved]
    )
    figures = {
        "curves.png": viz.curves(finished),
        "confusion.png": viz.confusion(result.confusion, trainer.validation.classes),
    }
    after = model.state_dict()
    first = next((key for key, w in after.items() if w.ndim == 4), None)
    if first is not None:
        figures["filters.png"] = viz.filters(after[first], before[first])
    right, total = int(result.confusion.trace()), len(trainer.validation)
    echo(f"final test accuracy {result.accuracy:.4f} ({right} of {total} held-out images)")
    for name, figure in figures.items():
        try:
            with files.interrupts.held():
                viz.save_figure(figure, files.run / name)
        except OSError as error:
            raise PellucidError(
                f"{name} could not be drawn ({error.strerror}). Everything else that '{files.run}' "
                f"needs is there, whole: make room on the disk, and `pellucid report` shows it."
            ) from error
    echo(f"{files.run}/")
    for name, content in runs.FILES.items():
        if (files.run / name).exists():
            echo(f"  {name:20} {content}")
