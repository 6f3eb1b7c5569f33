"""``pellucid train``: from images to a model, curves and pictures of its filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NumericsError, renamed
from ..runs.interrupts import Interrupts
from ..runs.settings import Settings
from .messages import echo, is_quiet, note
from .setting_options import takes
from .terminal import Terminal

if TYPE_CHECKING:
    from ..runs import Run

__all__ = ["command"]


@takes(Settings)
def command(
    settings: Settings,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Run folder. [dim]Default: the next runs/DATA-N.[/dim]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
) -> None:
    """Train a network; without options, on the embedded handwritten digits.

    Writes a run folder: model.safetensors, history.csv, config.toml,
    filters.safetensors, curves.png, filters.png, confusion.png. See
    pellucid report for all of it on one page.

    Ctrl-C ends the training cleanly: the last finished epoch is saved,
    measured and drawn.
    """
    from .. import runs
    from ..training import ProgressBar

    interrupts = Interrupts()
    terminal = Terminal(interrupts)
    with renamed(folder="--out", overwrite="--overwrite"):
        run = runs.begin(settings, out, overwrite=overwrite, listener=terminal)
        with interrupts:
            note(run)
            if not is_quiet():
                run.trainer.callbacks.append(ProgressBar())
            failure = _train(run, interrupts)
            try:
                if runs.finish(run, listener=terminal):
                    echo(f"{run.folder}/")
                    for name, content in run.folder.files().items():
                        note(f"  {name:20} {content}")
            except KeyboardInterrupt:
                note(f"stopped; the model of epoch {run.files.saved} is in {run.folder}/")
        if failure is not None:
            raise failure
    if interrupts.exit_code:
        raise typer.Exit(interrupts.exit_code)


def _train(run: Run, interrupts: Interrupts) -> NumericsError | None:
    """Train until the end, an interruption, or a loss that diverges, which is returned."""
    try:
        run.fit()
    except KeyboardInterrupt:
        interrupts.listen()
        saved = run.files.saved
        if saved:
            note(
                f"stopped after {saved} of {run.settings.epochs} epochs; the last of them is saved"
            )
            note("measuring it and drawing the pictures (Ctrl-C again skips this)")
        else:
            note("stopped before the first epoch was finished; nothing to save")
    except NumericsError as error:
        return error
    return None
