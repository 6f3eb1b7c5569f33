"""``pellucid show learning``: the first layer's filters over the epochs of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import DataError, DataNotFoundError
from .. import runs
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..messages import as_options

if TYPE_CHECKING:
    from ...typing import Array

__all__ = ["command", "filters_of"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    most: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=128, help="How many filters: those that changed most."
        ),
    ] = 16,
    channel: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Draw one input channel, in grey. [dim]Default: three in colour, else 0.[/dim]",
        ),
    ] = None,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the filters of the first layer from epoch to epoch."""
    from ... import viz

    require_deliverable(out, window)
    epochs = filters_of(run)
    with as_options(learning="--channel"):
        figure = viz.learning(epochs, most=most, channel=channel)
    deliver(figure, "learning", out, window=window)


def filters_of(run: Path) -> dict[int, Array]:
    """Return the first filters after the epochs of a run, 0 for before the training.

    Raises
    ------
    DataNotFoundError
        If the run keeps none: its network has no filters, or it is older than this file.
    DataError
        If they are of one moment only.
    """
    from ...formats import load
    from ...training import FilterHistory, first_filters
    from .curves import history_of

    path = run / runs.FILTERS if run.is_dir() else run
    if run.is_dir() and not path.exists():
        if first_filters(load(runs.model_path(run))) is None:
            raise DataNotFoundError(f"the network of '{run}' has no convolution, so no filters.")
        raise DataNotFoundError(
            f"the run '{run}' does not hold the filters of its epochs ({runs.FILTERS}): it was "
            "trained by an older Pellucid. Train it again with `pellucid train --config "
            f"{run}` to see them learn."
        )
    kept = FilterHistory.load(path)
    last = len(history_of(run).epochs) if run.is_dir() else max(kept.epochs)
    epochs = kept.until(last)
    if len(epochs) < 2:
        raise DataError(f"'{path}' holds the filters of one moment only.")
    return epochs
