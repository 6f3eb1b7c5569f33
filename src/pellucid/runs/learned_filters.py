"""The first filters of a run's network over its epochs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, DataNotFoundError
from .folder import FILTERS, RunFolder, model_path

if TYPE_CHECKING:
    from ..typing import Array, PathLike

__all__ = ["filters_of"]


def filters_of(run: PathLike) -> dict[int, Array]:
    """Return the first filters after the epochs of a run, 0 being before the training.

    Parameters
    ----------
    run : path
        A run folder, or its filters.safetensors.

    Raises
    ------
    DataNotFoundError
        If the run has kept none: its network has no filters, or its version did not keep them.
    DataError
        If they are of one moment only.
    """
    from ..formats import load
    from ..training import FilterHistory, first_filters

    folder, path = RunFolder(Path(run)), Path(run)
    if path.is_dir():
        path = folder.filters
        if not path.exists():
            if first_filters(load(model_path(run))) is None:
                raise DataNotFoundError(
                    f"the network of '{run}' has no convolution, so no filters."
                )
            raise DataNotFoundError(
                f"the run '{run}' does not hold the filters of its epochs ({FILTERS}): an older "
                "Pellucid trained it. Train it again with `pellucid train --config "
                f"{run}` to see them learn."
            )
    kept = FilterHistory.load(path)
    last = max(kept.epochs) if path == Path(run) else len(folder.read_history().epochs)
    epochs = kept.until(last)
    if len(epochs) < 2:
        raise DataError(f"'{path}' holds the filters of one moment only.")
    return epochs
