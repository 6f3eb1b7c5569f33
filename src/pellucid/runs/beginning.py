"""Begin a run: from settings to a Trainer that is ready to train, and its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..data import Dataset
from ..distributed import Communicator, Solo, by_first, on_first
from ..errors import ArgumentError, PellucidError
from ..names import shown
from ..nn import Layer
from ..shapes import shape_text
from ..training import History, Trainer, first_filters
from .building import build, kept_models, stopping_of
from .folder import PICTURES, RunFolder
from .large_batches import rate_line
from .listener import Listener
from .logs import logs_of, remove_logs
from .new_folder import new_folder, require_free
from .ranks import work_of_ranks
from .run_files import RunFiles
from .seeds_file import is_of_seeds
from .settings import Settings
from .starting_network import Start

if TYPE_CHECKING:
    from ..typing import Array, PathLike

__all__ = ["Run", "begin"]


@dataclass(frozen=True)
class Run:
    """A run that has begun; `fit` trains, `pellucid.runs.finish` measures and draws.

    Attributes
    ----------
    settings : Settings
        Complete: with all defaults that depend on the data set or the network.
    folder : RunFolder
    trainer : Trainer
        With ``files`` among its callbacks; more may be added.
    test : Dataset
        What `pellucid.runs.finish` measures the network on.
    files : RunFiles
    start : Start
        The network's name, and notes on where it comes from.
    before : dict of str to array
        The network's weights before the training; of a resumed run its first filters alone.
    temporary : bool
        Whether `pellucid.runs.finish` removes the folder if no epoch was finished.
    communicator : Communicator
        Of the ranks that train together: each has a Run, and rank 0 writes the files.
    """

    settings: Settings
    folder: RunFolder
    trainer: Trainer
    test: Dataset
    files: RunFiles
    start: Start
    before: dict[str, Array]
    temporary: bool
    communicator: Communicator = field(default_factory=Solo)

    def fit(self) -> History:
        """Train; see `Trainer.fit`. A diverging loss is an error, without NumPy's warnings."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.trainer.fit()

    @property
    def validation(self) -> Dataset | None:
        """The validation set, if there is one; else the epochs are measured on the test set."""
        watched = self.trainer.validation
        return watched if watched is not None and watched.split == "validation" else None

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, with these settings, and the pictures are drawn since."""
        if self.trainer.epoch < self.trainer.epochs:
            return False
        try:
            last = self.folder.checkpoint.stat().st_mtime_ns
            drawn = [(self.folder.path / name).stat().st_mtime_ns for name in self.pictures()]
            return min(drawn) >= last and type(self.settings).read(self.folder) == self.settings
        except (OSError, PellucidError):
            return False

    def pictures(self) -> list[str]:
        """Return the names of the pictures that `pellucid.runs.finish` draws."""
        filters = first_filters(self.trainer.model) is not None
        return [name for name in PICTURES if filters or name != "filters.png"]

    def __str__(self) -> str:
        train, test, validation = self.trainer.train, self.test, self.validation
        shape = shape_text(train.image_shape)
        images = f"{len(train):,} image{'s' * (len(train) != 1)}"
        line = (
            f"{shown(self.start.name)}, {_parameters(self.trainer.model)}, on {images} of "
            f"{shown(train.name)} ({shape}); "
        )
        if validation is None:
            line += f"{len(test):,} held out"
        else:
            line += f"{len(validation):,} for validation, {len(test):,} to test on in the end"
        rate = rate_line(self.settings)
        notes = [*self.start.notes, *([rate] if rate else []), *_decay_notes(self.trainer)]
        return "\n".join([line, *(f"  {note}" for note in notes)])


def begin(
    settings: Settings,
    folder: PathLike | None = None,
    *,
    overwrite: bool = False,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Run:
    """Read the images, build the network and create the run folder.

    Of several ranks all call this, as everything else of a run.

    Parameters
    ----------
    settings : Settings
    folder : path, optional
        The run folder; the next ``runs/DATASET-N`` by default.
    overwrite : bool
        Whether a run in ``folder`` may be replaced; it stays until the first epoch is finished.
    listener : Listener, optional
        Hears of the images that are read, and of files that are written.
    communicator : Communicator, optional
        The ranks that train together, such as `pellucid.distributed.world()`.

    Raises
    ------
    ArgumentError, DataError, FileFormatError
        Naming the setting at fault; then no folder was created.
    """
    ranks = communicator or Solo()
    on_first(ranks, lambda: _require_free(folder, overwrite))
    built = build(settings, listener=listener, communicator=ranks)
    name = built.parts.train.name
    new = by_first(ranks, lambda: new_folder(folder, name, overwrite=overwrite))
    settings, trainer, before = built.settings, built.trainer, built.before
    key = first_filters(trainer.model)
    first = {} if key is None else {key: before[key]}
    keep = kept_models(settings, built.parts)
    files = RunFiles(new, settings, built.split, listener, before=first, keep=keep)
    if ranks.rank == 0:
        if overwrite:
            remove_logs(new)
        trainer.callbacks += [*stopping_of(settings), files, *logs_of(settings, new)]
    built.start.notes.extend(work_of_ranks(trainer, ranks))
    return Run(
        settings,
        new,
        trainer,
        built.parts.test,
        files,
        built.start,
        before,
        temporary=folder is None,
        communicator=ranks,
    )


def _require_free(folder: PathLike | None, overwrite: bool) -> None:
    require_free(folder, overwrite=overwrite)
    if folder is not None and is_of_seeds(folder):
        raise ArgumentError(
            f"'{folder}' holds the runs of several seeds. Give another folder.", where="folder"
        )


def _decay_notes(trainer: Trainer) -> list[str]:
    """Say which parameters are decayed, if there is a weight decay."""
    rate = trainer.optimizer.weight_decay
    learning = [p for p in trainer.model.parameters().values() if p.rate]
    if not rate:
        return []
    spared = sum(p.data.size for p in learning if not p.decay)
    without = f"; none on {spared:,} parameters of biases and norms" if spared else ""
    return [f"weight decay {rate:g}{without}"]


def _parameters(network: Layer) -> str:
    total = network.parameter_count()
    learning = sum(p.data.size for p in network.parameters().values() if p.rate)
    return f"{total:,} parameters" + ("" if learning == total else f", {learning:,} of them learn")
