"""``pellucid train --seeds``: the same training with several seeds, one after the other."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import ArgumentError, NumericsError, renamed
from ..runs.settings import Settings
from .messages import echo, note

if TYPE_CHECKING:
    from ..distributed import Communicator
    from ..runs import Finished, Run
    from ..runs.interrupts import Interrupts
    from .terminal import Terminal

    Train = Callable[[Run, Interrupts, Terminal], Finished | None]

__all__ = ["are_wanted", "train_seeds"]


def are_wanted(seeds: int | None, vary_split: bool, resume: Path | None) -> bool:
    """Return whether several seeds are to be trained, or go on.

    Raises
    ------
    ArgumentError
        If options are given that belong to them only.
    """
    from ..runs.seeds_file import is_of_seeds

    if vary_split and (seeds is None or resume is not None):
        raise ArgumentError("belongs to a new training with --seeds.", where="--vary-split")
    if resume is None:
        return seeds is not None
    found = is_of_seeds(resume)
    if seeds is not None and not found:
        raise ArgumentError(
            f"'{resume}' is not a folder of several seeds. Start one: --seeds {seeds} --out "
            "FOLDER.",
            where="--seeds",
        )
    return found


def train_seeds(
    interrupts: Interrupts,
    terminal: Terminal,
    train: Train,
    *,
    settings: Settings,
    resume: Path | None,
    changes: dict[str, Any],
    seeds: int | None,
    communicator: Communicator,
    **options: Any,
) -> None:
    """Train all seeds that are left, and print a table of all.

    Parameters
    ----------
    interrupts : Interrupts
    terminal : Terminal
    train : callable
        Trains a run and finishes it.
    settings, seeds, **options
        As for `pellucid.runs.Seeds`, without ``resume``.
    resume, changes, seeds
        As for `pellucid.runs.Seeds.resume`.
    communicator : Communicator
        Of the ranks that train together.
    """
    from .. import runs
    from ..distributed import by_first, on_first

    def opened() -> runs.Seeds:
        if resume is None:
            return runs.Seeds(settings, count=seeds or 1, **options)
        return runs.Seeds.resume(resume, seeds, **changes)

    where = "--out" if resume is None else "--resume"
    with renamed(folder=where, overwrite="--overwrite", vary_split=("--vary-split", True)):
        every = by_first(communicator, opened)
    failed = {}
    for seed in every.left:
        note(f"seed {seed}:")
        with renamed(folder=where):
            run = every.run(seed, listener=terminal, communicator=communicator)
        try:
            with interrupts, renamed(folder=where):
                note(run)
                finished = train(run, interrupts, terminal)
        except NumericsError as error:  # the other seeds may do better
            failed[seed] = error
            note(f"seed {seed} failed: {error}")
            continue
        if interrupts.exit_code:
            go_on = f"pellucid train --resume {shlex.quote(str(every.folder))}"
            note(f"go on with this seed and the others: {go_on}")
            raise typer.Exit(interrupts.exit_code)
        evaluation = None if finished is None else finished.evaluation
        on_first(communicator, partial(every.record, run, evaluation))
    echo(every)
    echo(f"{every.folder}/")
    if failed:
        names = ", ".join(map(str, failed))
        raise NumericsError(
            f"{len(failed)} of {len(every.results)} trainings diverged (seed {names}) and are not "
            f"among the results. {next(iter(failed.values()))}",
            where="--seeds",
        )
