"""Run a sweep: trial after trial, until there are as many as asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import runs
from ..distributed import Communicator, Solo, agreed, by_first, in_turns
from ..errors import ArgumentError, DataError, NumericsError, ShapeError
from ..extras import extra
from ..formats import atomic_write, load
from ..runs.building import usable
from ..runs.completing import with_absolute_paths
from ..runs.images import load_images
from ..runs.new_folder import InUseError, give_up
from ..runs.predictions import measure
from ..runs.trained_model import images_of
from ..training import Callback, EpochRecord, Trainer
from .page import labelled, write_page
from .space import VALIDATION, Space
from .study import Claimed, Study

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["Sweep", "sweep"]

SPACE, PAGE = "space.toml", "sweep.html"
FAILURES = (
    NumericsError,
    ArgumentError,
    ShapeError,
)  # which the settings of a trial are to blame for
MOST_FAILURES = 3  # of this process, one after the other and from the start


@dataclass(frozen=True)
class Sweep:
    """What came of a sweep.

    Attributes
    ----------
    folder : Path
    trials : int
        Those that have ended.
    best : RunFolder or None
        The run with the highest validation accuracy.
    validation_accuracy, test_accuracy : float or None
        Of the best run; the second on the test set, which had no part in the choice.
    settings : dict of str to object
        What was drawn for the best run.
    """

    folder: Path
    trials: int
    best: runs.RunFolder | None = None
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    settings: dict[str, Any] | None = None


class Reporting(Callback):
    """Report the validation accuracy of each epoch to Optuna, and stop if it advises so."""

    def __init__(self, study: Study, claimed: Claimed) -> None:
        self._trial = claimed.trial
        self._known = set(study.trials()[claimed.number].intermediate_values)
        self.pruned = False

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Report the epochs of a resumed training that were not reported before."""
        for record in trainer.history.epochs:
            self._report(record)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Report, and stop a trial that is below the median of the others."""
        self._report(record)
        if record.epoch < trainer.epochs and self._trial.should_prune():
            self.pruned = True
            trainer.stop("below the median of the other trials at this epoch")

    def _report(self, record: EpochRecord) -> None:
        accuracy = record.validation_accuracy
        if accuracy is None:
            raise ArgumentError(
                "a sweep chooses by a validation set, and there is none. Give a fraction of the "
                "training images in the space: validation = 0.1.",
                where="validation",
            )
        if record.epoch not in self._known:
            self._trial.report(accuracy, record.epoch)


def sweep(
    space: Space | None,
    trials: int,
    folder: PathLike,
    *,
    prune: bool = True,
    listener: runs.Listener | None = None,
    on_trial: Callable[[str], None] | None = None,
    on_failure: Callable[[str], None] | None = None,
    communicator: Communicator | None = None,
) -> Sweep:
    """Train with settings drawn from ``space`` until the sweep has this many trials.

    Each trial is a run folder, ``trial-0000`` and so on. The sweep goes on where it is, if the
    folder holds one: after an interruption, with more trials, or while other processes work on it.
    A trial whose process was killed is continued. When all trials have ended, the best is measured
    on the test set.

    Parameters
    ----------
    space : Space or None
        None for that of the sweep in the folder.
    trials : int
        In all, also those of other processes and of earlier calls.
    folder : path
    prune : bool
        Whether trials end early that are below the median of the others.
    listener : Listener, optional
    on_trial, on_failure : callable, optional
        Called with a line for each trial that has ended, and for each that failed.
    communicator : Communicator, optional
        Of ranks that all call this: each works on the sweep as a process of its own, a trial at a
        time, and all get the result.

    Raises
    ------
    ArgumentError
        If the folder's sweep has another space; if the settings do not fit.
    DataError
        If a rank does not see the folder.
    MissingExtraError
        If Optuna is not installed.
    """
    extra("optuna", "sweep", "pellucid sweep")  # before anything is written
    path, listener = Path(folder), listener or runs.Listener()
    if trials < 1:
        raise ArgumentError(f"must be 1 or more, received {trials}.", where="trials")
    ranks: Communicator = communicator or Solo()
    space = by_first(ranks, lambda: _space_of(path, space, listener))
    # One after the other: the first creates the journal.
    study = in_turns(ranks, lambda: Study(_seen(path), space, prune=prune))
    agreed(
        ranks,
        lambda: _work(
            study, trials, listener, on_trial, on_failure, write=partial(_write, ranks, study)
        ),
    )
    return by_first(ranks, lambda: _finished(study, listener))


def _work(
    study: Study,
    trials: int,
    listener: runs.Listener,
    on_trial: Callable[[str], None] | None,
    on_failure: Callable[[str], None] | None,
    write: Callable[[], None],
) -> None:
    """Train trial after trial until the sweep has this many; ``write`` its page after each."""
    failures = 0
    while (claimed := study.next(trials)) is not None:
        tell = on_trial
        try:
            line = _trial(study, claimed, listener)
            failures = 0
        except FAILURES as error:
            if isinstance(error, InUseError):
                claimed.claim.release()
                raise
            failures, tell = failures + 1, on_failure
            line = f"failed: {str(error).partition(chr(10))[0]}"
            claimed.trial.set_user_attr("error", str(error))
            study.end(claimed, None)
            if failures == MOST_FAILURES:
                raise
        except BaseException:
            claimed.claim.release()
            raise
        if tell is not None:
            tell(f"trial {claimed.number}  {_drawn(study.space, claimed.params)}  {line}")
        write()


def _write(ranks: Communicator, study: Study) -> None:
    if ranks.rank == 0:
        write_page(study, study.folder / PAGE)


def _seen(folder: Path) -> Path:
    """Return the folder of a sweep that another rank may have created."""
    if not (folder / SPACE).is_file():
        raise DataError(
            f"'{folder}' does not hold the sweep that rank 0 sees there. The ranks of a sweep work "
            "in one folder: give one on a disk that all hosts share."
        )
    return folder


def _trial(study: Study, claimed: Claimed, listener: runs.Listener) -> str:
    """Train one trial; return its outcome in words."""
    settings = study.space.settings(claimed.params)
    folder = study.folder / f"trial-{claimed.number:04}"
    if runs.RunFolder(folder).checkpoint.is_file():  # its process was killed, or interrupted
        run = runs.resume(folder, listener=listener)
    else:
        run = runs.begin(settings, folder, overwrite=True, listener=listener)
    reporting = Reporting(study, claimed)
    run.trainer.callbacks.append(reporting)
    try:
        if run.trainer.epoch < run.trainer.epochs:
            run.fit()
    finally:
        give_up(run.folder)
    best = run.trainer.best
    assert best is not None
    study.end(claimed, best.accuracy, pruned=reporting.pruned)
    said = f"validation {best.accuracy:.4f} (epoch {best.epoch})"
    if reporting.pruned:
        return f"{said}, ended after epoch {run.trainer.epoch}: {run.trainer.stopped}"
    return said


def _finished(study: Study, listener: runs.Listener) -> Sweep:
    """Measure the best trial on the test set, unless others are at work or it was measured."""
    ended = sum(trial.state.is_finished() for trial in study.trials())
    best = study.best()
    if best is None:
        return Sweep(study.folder, ended)
    folder = runs.RunFolder(study.folder / f"trial-{best.number:04}")
    tested = study.optuna.user_attrs.get(f"test of {best.number}")
    if tested is None and not study.running():
        model = load(runs.model_path(folder))
        test = images_of(model, folder, listener=listener).test
        tested = measure(model, test, study.space.fixed.engine, listener=listener).accuracy
        study.optuna.set_user_attr(f"test of {best.number}", tested)
    write_page(study, study.folder / PAGE)
    return Sweep(study.folder, ended, folder, best.value, tested, dict(best.params))


def _space_of(folder: Path, space: Space | None, listener: runs.Listener) -> Space:
    """Return the space of the sweep in a folder, after writing it into a new one."""
    path = folder / SPACE
    if space is not None:
        space = replace(space, fixed=with_absolute_paths(space.fixed))
    known = Space.read(path) if path.is_file() else None
    if known is not None:
        given = None if space is None else replace(space, fixed=_split_once(space.fixed, known))
        if given not in (None, known):
            raise ArgumentError(
                f"is not that of the sweep in '{folder}'. Leave {{space}} out to go on with it, or "
                "choose another {folder}.",
                where="space",
                arguments={"space": ..., "folder": ...},
            )
        return known
    if space is None:
        raise ArgumentError(f"is missing, and '{folder}' holds no sweep.", where="space")
    if folder.is_dir() and any(folder.iterdir()):
        raise ArgumentError(
            f"'{folder}' is not empty and holds no sweep. Give another folder.", where="folder"
        )
    space = _with_validation(space, listener)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(space.written(), encoding="utf-8")
    return space


def _with_validation(space: Space, listener: runs.Listener) -> Space:
    """Return the space with a validation set that is the same in all trials."""
    fixed = replace(space.fixed, split_seed=_split_seed(space.fixed))
    space = replace(space, fixed=fixed)
    for settings in space.each_choice():
        usable(settings)
    parts = load_images(space.example(), listener=listener)  # refuses what is not there
    if parts.validation is None:
        listener.note(
            f"note: {VALIDATION:.0%} of the training images are the validation set, which the "
            f"trials are compared by; the space may say another fraction: validation = {VALIDATION}"
        )
        space = replace(space, fixed=replace(fixed, validation=VALIDATION))
    return space


def _split_seed(fixed: runs.Settings) -> int:
    return fixed.seed if fixed.split_seed is None else fixed.split_seed


def _split_once(given: runs.Settings, known: Space) -> runs.Settings:
    """Return settings as `_with_validation` left those of the sweep."""
    validation = known.fixed.validation if given.validation is None else given.validation
    return replace(given, split_seed=_split_seed(given), validation=validation)


def _drawn(space: Space, params: dict[str, Any]) -> str:
    """Return what was drawn, in words."""
    return ", ".join(f"{key} {value}" for key, value in labelled(space, params))
