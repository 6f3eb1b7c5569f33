"""``pellucid show curves``: how one training went, or several in comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import DataError, DataNotFoundError
from .. import runs
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable

if TYPE_CHECKING:
    from ...training import History

__all__ = ["command", "history_of"]


def command(
    run: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders; several are drawn into one figure."),
    ],
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw loss and accuracy over the epochs, of one run or of several to compare."""
    from ... import viz

    require_deliverable(out, window)
    histories = {name: history_of(path) for name, path in _named(run).items()}
    one = len(histories) == 1
    figure = viz.curves(*histories.values()) if one else viz.comparison(histories)
    deliver(figure, "curves", out, window=window)


def history_of(run: Path) -> History:
    """Return the finished epochs of a run folder or of a history.csv.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no history, or it is damaged.
    DataError
        If no epoch was finished.
    """
    from ...training import History

    path = run / runs.HISTORY if run.is_dir() else run
    if not path.exists():
        raise DataNotFoundError(
            f"the folder '{run}' holds no {runs.HISTORY}. Give a run folder that `pellucid train` "
            "has written."
            if run.is_dir()
            else f"there is no '{run}'. Give a run folder that `pellucid train` has written."
        )
    history = History.read_csv(path)
    if not history.epochs:
        raise DataError(f"'{path}' tells of no finished epoch. Train for one at least.")
    return history


def _named(paths: list[Path]) -> dict[str, Path]:
    """Return each run once, by its folder's name; by its whole path where names are alike."""
    places = {path.resolve(): path for path in paths}
    names = [place.name for place in places]
    return {
        place.name if names.count(place.name) == 1 else str(path): path
        for place, path in places.items()
    }
