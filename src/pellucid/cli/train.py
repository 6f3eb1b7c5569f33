"""``pellucid train``: from images to a model, curves and pictures of its filters."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, NumericsError, renamed
from ..runs.interrupts import Interrupts
from ..runs.settings import Settings
from .messages import echo, is_quiet, note, tell
from .ranks import on_ranks
from .seeds import are_wanted, train_seeds
from .setting_options import command_of, given_in, takes
from .terminal import Terminal

if TYPE_CHECKING:
    from ..runs import Finished, Run

__all__ = ["command"]

Command = command_of(Settings)


@on_ranks
@takes(Settings)
def command(
    settings: Settings,
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Run folder. [dim]Default: the next runs/DATA-N.[/dim]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was interrupted, or with more --epochs: its folder or "
            "checkpoint. No other option is needed.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Train N times, with seeds from --seed on, in FOLDER/seed-0, ...; print mean and "
            "standard deviation. The same command again trains what is left.",
        ),
    ] = None,
    vary_split: Annotated[
        bool,
        typer.Option(
            "--vary-split",
            help="With --seeds: draw test and validation images anew for each seed, too.",
        ),
    ] = False,
) -> None:
    """Train a network; without options, on the embedded handwritten digits.

    Writes a run folder: model.safetensors, checkpoint.safetensors,
    history.csv, config.toml, filters.safetensors, curves.png, filters.png,
    confusion.png. See pellucid report for all of it on one page.

    Ctrl-C ends the training cleanly: the last finished epoch is saved,
    measured and drawn. pellucid train --resume RUN goes on from the
    checkpoint, also after the process was killed.

    mpiexec -n 4 pellucid train shares each batch among four processes, on one
    host or many; the weights get the same bits as with one.
    """
    from .. import runs
    from ..distributed import world

    ranks = world()
    interrupts = Interrupts()
    terminal = Terminal(interrupts)
    if resume is not None:
        _require_alone(context)
    if are_wanted(seeds, vary_split, resume):
        changes = given_in(context, Settings)
        options = {"folder": out, "overwrite": overwrite, "vary_split": vary_split}
        train_seeds(
            interrupts, terminal, _train_and_finish, settings=settings, resume=resume,
            changes=changes, seeds=seeds, communicator=ranks, **options,
        )  # fmt: skip
        return
    if resume is None:
        with renamed(folder="--out", overwrite="--overwrite"):
            run = runs.begin(
                settings, out, overwrite=overwrite, listener=terminal, communicator=ranks
            )
    else:
        with renamed(folder="--resume"):
            changes = given_in(context, Settings)
            run = runs.resume(resume, listener=terminal, communicator=ranks, **changes)
    with interrupts, renamed(folder="--out"):
        tell(run)
        _train_and_finish(run, interrupts, terminal)
    if interrupts.exit_code:
        raise typer.Exit(interrupts.exit_code)


def _require_alone(context: typer.Context) -> None:
    """Refuse options that say where a run comes from, beside ``--resume``, which says it."""
    for name in ("config", "out", "overwrite"):
        if context.params.get(name):
            raise ArgumentError(
                f"goes on in the folder of the run, with its settings. Leave --{name} out.",
                where="--resume",
            )


def _train_and_finish(run: Run, interrupts: Interrupts, terminal: Terminal) -> Finished | None:
    """Train, then measure and draw, unless there is nothing to do or no time."""
    from .. import runs
    from ..distributed import by_first
    from ..training import ProgressBar

    ranks = run.communicator
    if by_first(ranks, lambda: run.finished):
        note("nothing to do; more --epochs train on")
        return None
    if is_quiet():
        run.trainer.progress = False
    else:
        run.trainer.callbacks.append(ProgressBar())
    failure = None if run.trainer.epoch >= run.trainer.epochs else _train(run, interrupts)
    finished = None
    if not interrupts.terminated:
        try:
            finished = runs.finish(run, listener=terminal)
            if finished is not None:
                echo(f"{run.folder}/")
                for name, content in run.folder.files().items():
                    tell(f"  {name:22} {content}")
        except KeyboardInterrupt:
            note(f"stopped; the model of epoch {run.files.saved} is in {run.folder}/")
    if failure is not None:
        raise failure
    if interrupts.exit_code and run.files.begun and run.folder.checkpoint.exists():
        note(f"go on with: pellucid train --resume {shlex.quote(str(run.folder))}")
    return finished


def _train(run: Run, interrupts: Interrupts) -> NumericsError | None:
    """Train until the end, an interruption, or a loss that diverges, which is returned."""
    try:
        run.fit()
        if run.trainer.stopped is not None:
            epochs = f"{run.trainer.epoch} of {run.settings.epochs} epochs"
            echo(f"stopped after {epochs}: {run.trainer.stopped}")
    except KeyboardInterrupt:
        saved, trainer = run.files.saved, run.trainer
        if interrupts.terminated:
            batches = len(trainer.history.losses) - trainer.epoch * len(trainer.loader)
            where = (
                f"epoch {trainer.epoch + 1}, after {batches} of its {len(trainer.loader)} batches"
            )
            what = "the checkpoint is written" if run.files.begun else "nothing was written yet"
            note(f"terminated in {where}; {what}")
            return None
        interrupts.listen()
        if saved:
            note(
                f"stopped after {saved} of {run.settings.epochs} epochs; the last of them is saved"
            )
            note("measuring it and drawing the pictures (Ctrl-C again skips this)")
        elif run.files.kept:
            note("stopped before the first epoch was finished; the checkpoint is written")
        else:
            note("stopped before the first epoch was finished; nothing to save")
    except NumericsError as error:
        return error
    return None
