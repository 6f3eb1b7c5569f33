"""``pellucid show curves``: the course of one training, or of several to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...runs.folder import RunFolder, history_in, named_runs
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable

__all__ = ["command"]


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
    histories = {
        name: RunFolder(path).read_history() if path.is_dir() else history_in(path)
        for name, path in named_runs(run).items()
    }
    if len(histories) == 1:
        ((name, history),) = histories.items()
        figure = viz.curves(history, title=name)
    else:
        figure = viz.comparison(histories)
    deliver(figure, "curves", out, window=window)
