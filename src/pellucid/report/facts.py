"""The facts of a report: everything that a run folder and its images hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DataError, DataNotFoundError
from ..runs.choice import Choice, choice_of
from ..runs.fields import option_names
from ..runs.folder import RunFolder, model_path
from ..runs.listener import Listener
from ..runs.settings import Settings

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer
    from ..runs.calibrating import Temperatures
    from ..training import History
    from ..typing import Array, PathLike

__all__ = ["Facts", "gather"]


@dataclass(frozen=True)
class Facts:
    """A run, as far as it can be read.

    Attributes
    ----------
    run : Path
        As it was given; the commands in the report use it.
    file : Path
        The file of the model.
    model : Layer
    settings : dict
        By name; empty if the folder does not hold them.
    history : History or None
    ended : datetime or None
        When the last epoch was written.
    choice : Choice or None
        How the epoch of the model was chosen.
    train, validation, test : Dataset or None
        None if the images could not be read; ``missing`` then says why. A training may also have
        no validation set.
    probabilities : array (N, K) or None
        What the model predicts for the test images.
    confusion : integer array (K, K) or None
    temperatures : Temperatures or None
        The calibration on the test images.
    layer : str or None
        The key of the first filters.
    filters : dict of int to array (FN, C, FH, FW)
        By epoch; the last entry is the model's own.
    """

    run: Path
    file: Path
    model: Layer
    settings: dict[str, Any]
    history: History | None
    choice: Choice | None
    ended: datetime | None
    train: Dataset | None
    validation: Dataset | None
    test: Dataset | None
    missing: str
    probabilities: Array | None
    confusion: Array | None
    temperatures: Temperatures | None
    layer: str | None
    filters: dict[int, Array]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none if they are not known."""
        if self.test is not None:
            return self.test.classes
        return self.model.card.classes if self.model.card is not None else ()


def gather(
    run: PathLike,
    data: str | None = None,
    data_dir: PathLike | None = None,
    *,
    listener: Listener | None = None,
) -> Facts:
    """Read a run folder, and run its model on the test images.

    Missing images are not an error unless ``data`` or ``data_dir`` was given. Nothing is
    downloaded.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such folder, or it holds no model; if a file in it is damaged.
    """
    from ..formats import load
    from ..ops import softmax
    from ..runs.calibrating import compared
    from ..runs.predictions import confusion_matrix, scores
    from ..runs.trained_model import images_of

    folder = RunFolder(Path(run))
    if not folder.path.exists():
        raise DataNotFoundError(
            f"there is no '{run}'. Give a run folder that `pellucid train` has written."
        )
    if not folder.path.is_dir():
        raise ArgumentError(f"'{run}' is a file; give the run folder that it lies in.", where="run")
    file, settings = model_path(run), folder.settings()
    model, history = load(file), _history(folder)
    choice = None
    if history is not None:
        choice = choice_of(history, settings.get("keep"), settings.get("patience"))
    train = validation = test = probabilities = confusion = temperatures = None
    missing = ""
    try:
        train, validation, test = images_of(
            model, run, data, data_dir, download=False, listener=listener
        )
    except (DataError, ArgumentError) as error:
        if data is not None or data_dir is not None:
            raise
        error.rename(option_names(Settings))  # the page shows commands
        missing = str(error)
    if test is not None:
        engine = settings.get("engine", "compiled")
        found = scores(model, test, engine, listener=listener)
        probabilities = softmax(found)
        temperatures = compared(model, test, found, validation, engine, listener=listener)
        confusion = confusion_matrix(test, probabilities)
    layer, filters = _filters(folder, model, None if choice is None else choice.epoch)
    return Facts(
        run=folder.path,
        file=file,
        model=model,
        settings=settings,
        history=history,
        choice=choice,
        ended=None if history is None else datetime.fromtimestamp(folder.history.stat().st_mtime),
        train=train,
        validation=validation,
        test=test,
        missing=missing,
        probabilities=probabilities,
        confusion=confusion,
        temperatures=temperatures,
        layer=layer,
        filters=filters,
    )


def _history(folder: RunFolder) -> History | None:
    """Return the finished epochs, if there are any."""
    from ..training import History

    history = History.read_csv(folder.history) if folder.history.exists() else None
    return history if history is not None and history.epochs else None


def _filters(
    run: RunFolder, model: Layer, epoch: int | None
) -> tuple[str | None, dict[int, Array]]:
    """Return the key of the first filters, and the filters by epoch; the model's is ``epoch``."""
    from ..training import first_filters

    key = first_filters(model)
    if key is None:
        return None, {}
    own = model.parameters()[key].data
    last = epoch or 0
    kept = run.read_filters()
    if kept is None:
        return key, {last: own}
    if epoch is None:
        last = max(kept.epochs)
    earlier = {k: w for k, w in kept.until(last).items() if k < last}
    fits = kept.layer == key and all(w.shape[1:] == own.shape[1:] for w in earlier.values())
    return key, {**(earlier if fits else {}), last: own}
