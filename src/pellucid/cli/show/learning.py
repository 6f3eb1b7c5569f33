"""``pellucid show learning``: the first layer's filters over the epochs of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import renamed
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    most: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=128, help="Number of filters: those that changed most."
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
    from ...runs.learned_filters import filters_of

    require_deliverable(out, window)
    epochs = filters_of(run)
    with renamed(learning="--channel"):
        figure = viz.learning(epochs, most=most, channel=channel)
    deliver(figure, "learning", out, window=window)
