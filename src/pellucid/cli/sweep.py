"""``pellucid sweep``: train with many settings, and find the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import renamed
from ..runs.interrupts import Interrupts
from .messages import complain, count, echo, note, note_of_rank
from .ranks import on_ranks
from .terminal import Terminal

if TYPE_CHECKING:
    from ..sweeps import Sweep

__all__ = ["command"]


@on_ranks
def command(
    trials: Annotated[
        int, typer.Option(metavar="N", min=1, help="Trials in all, also those of other processes.")
    ],
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML: settings of [bold]pellucid train[/bold] with a value, a list of values, or "
            "{low = 1e-4, high = 0.1, log = true}. [dim]Default: that of the sweep in --out.[/dim]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The sweep's folder. [dim]Default: sweeps/NAME of FILE.[/dim]"
        ),
    ] = None,
    no_pruning: Annotated[
        bool,
        typer.Option(
            "--no-pruning",
            help="Train every trial to its end, also below the median of the others.",
        ),
    ] = False,
) -> None:
    """Search for the settings with the best validation accuracy.

    Draws settings with Optuna, trains a run with each, and writes a page.
    The same command goes on with an interrupted sweep. Start it several
    times, on machines that share the folder, to work on one sweep at once,
    or with mpiexec: then each rank trains a trial at a time.
    """
    from ..distributed import world
    from ..errors import ArgumentError
    from ..sweeps import Space, sweep

    if out is None:
        if space is None:
            raise ArgumentError(
                "is missing. Give it, or --out for a sweep that goes on.", where="--space"
            )
        out = Path("sweeps") / space.stem
    interrupts = Interrupts()
    terminal = Terminal(interrupts)
    with renamed(folder="--out", space="--space", trials="--trials"), interrupts:
        try:
            found = sweep(
                None if space is None else Space.read(space),
                trials,
                out,
                prune=not no_pruning,
                listener=terminal,
                on_trial=note_of_rank,
                on_failure=complain,
                communicator=world(),
            )
        except KeyboardInterrupt:
            note("stopped; the same command goes on with the sweep")
            raise typer.Exit(interrupts.exit_code or 130) from None
    _say(found)
    if found.best is None:
        raise typer.Exit(1)


def _say(found: Sweep) -> None:
    if found.best is None:
        echo(f"{count(found.trials, 'trial')}, none of them complete")
    else:
        echo(f"best of {count(found.trials, 'trial')}: {found.best}")
        accuracy = f"validation accuracy {found.validation_accuracy:.4f}"
        if found.test_accuracy is None:
            echo(f"{accuracy}; other processes are still at work on this sweep")
        else:
            echo(f"{accuracy}, test accuracy {found.test_accuracy:.4f}")
    note(found.folder / "sweep.html")
