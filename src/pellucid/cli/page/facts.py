"""What a report tells of: everything that a run folder and its images still say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError, DataError, DataNotFoundError
from .. import runs
from ..trained import images_of, settings_of

if TYPE_CHECKING:
    from ...data import Dataset
    from ...nn import Layer
    from ...training import History
    from ...typing import Array

__all__ = ["Facts", "gather"]


@dataclass(frozen=True)
class Facts:
    """A run, as far as it can be read.

    Attributes
    ----------
    run : Path
        As it was given; commands in the report name it so.
    model : Layer
    settings : dict
        Empty if the folder does not tell them.
    history : History or None
    ended : datetime or None
        When the last epoch was written down.
    train, test : Dataset or None
        None if the images could not be read; ``missing`` then says why.
    probabilities : array (N, K) or None
        What the model makes of the test images.
    confusion : integer array (K, K) or None
    layer : str or None
        The key of the first filters.
    filters : dict of int to array (FN, C, FH, FW)
        After which epoch they were as they were; the last entry is the model's own.
    """

    run: Path
    model: Layer
    settings: dict[str, Any]
    history: History | None
    ended: datetime | None
    train: Dataset | None
    test: Dataset | None
    missing: str
    probabilities: Array | None
    confusion: Array | None
    layer: str | None
    filters: dict[int, Array]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none if nobody knows them."""
        if self.test is not None:
            return self.test.classes
        return self.model.card.classes if self.model.card is not None else ()


def gather(run: Path, data: str | None, data_dir: Path | None) -> Facts:
    """Read a run folder, and let its model guess the test images.

    Images that are not where they were are no error, unless ``data`` or ``data_dir`` says where
    they are. Nothing is downloaded.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such folder, or it holds no model; if a file in it is damaged.
    """
    import numpy as np

    from ...formats import load
    from ...training import History
    from ..guesses import guesses

    if not run.exists():
        raise DataNotFoundError(
            f"there is no '{run}'. Give a run folder that `pellucid train` has written."
        )
    if not run.is_dir():
        raise ArgumentError(f"'{run}' is a file; give the run folder that it lies in.", where="RUN")
    model, settings = load(runs.model_path(run)), settings_of(run)
    path = run / runs.HISTORY
    history = History.read_csv(path) if path.exists() else None
    if history is not None and not history.epochs:
        history = None
    train = test = probabilities = confusion = None
    missing = ""
    try:
        train, test = images_of(model, run, data, data_dir, download=False)
    except (DataError, ArgumentError) as error:
        if data is not None or data_dir is not None:
            raise
        missing = str(error)
    if test is not None:
        probabilities = guesses(model, test, settings.get("engine", "compiled"))
        confusion = np.zeros((len(test.classes),) * 2, dtype=np.int64)
        np.add.at(confusion, (test.labels, probabilities.argmax(axis=1)), 1)
    layer, filters = _filters(run, model, history)
    return Facts(
        run=run,
        model=model,
        settings=settings,
        history=history,
        ended=None if history is None else datetime.fromtimestamp(path.stat().st_mtime),
        train=train,
        test=test,
        missing=missing,
        probabilities=probabilities,
        confusion=confusion,
        layer=layer,
        filters=filters,
    )


def _filters(
    run: Path, model: Layer, history: History | None
) -> tuple[str | None, dict[int, Array]]:
    """Return the first filters' key, and how they were after which epoch."""
    from ...training import FilterHistory, first_filters

    key = first_filters(model)
    if key is None:
        return None, {}
    own = model.parameters()[key].data
    last = len(history.epochs) if history is not None else 0
    path = run / runs.FILTERS
    if not path.exists():
        return key, {last: own}
    kept = FilterHistory.load(path)
    if history is None:
        last = max(kept.epochs)
    earlier = {k: w for k, w in kept.until(last).items() if k < last}
    fits = kept.layer == key and all(w.shape[1:] == own.shape[1:] for w in earlier.values())
    return key, {**(earlier if fits else {}), last: own}
