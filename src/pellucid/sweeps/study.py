"""Optuna's study of a sweep: one journal file, which processes share."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError
from ..extras import extra
from .claims import Claim, claim

if TYPE_CHECKING:
    from .space import Space

__all__ = ["Claimed", "Study"]

JOURNAL, CLAIMS, NAME = "optuna.journal", "working", "pellucid"


class Claimed:
    """A trial that this process works on.

    Attributes
    ----------
    number : int
    params : dict of str to object
        What was drawn.
    trial : optuna.trial.Trial
    """

    def __init__(self, trial: Any, held: Claim) -> None:
        self.trial, self.claim = trial, held
        self.number: int = trial.number
        self.params: dict[str, Any] = dict(trial.params)


class Study:
    """The study in a sweep's folder.

    Parameters
    ----------
    folder : Path
    space : Space
    prune : bool
        Whether trials end early that are below the median of the others at the same epoch.
    """

    def __init__(self, folder: Path, space: Space, *, prune: bool = True) -> None:
        self._optuna: Any = extra("optuna", "sweep", "pellucid sweep")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self.folder, self.space = folder, space
        self.claims = folder / CLAIMS
        self.claims.mkdir(parents=True, exist_ok=True)
        journal = extra("optuna.storages.journal", "sweep", "pellucid sweep")
        path = folder / JOURNAL
        self._lock = journal.JournalFileSymlinkLock(str(folder / "next"))
        warmup = max(1, (space.fixed.epochs or 20) // 5)
        pruners = self._optuna.pruners
        pruner = pruners.MedianPruner(5, warmup) if prune else pruners.NopPruner()
        with _quiet():
            try:
                storage = self._optuna.storages.JournalStorage(
                    journal.JournalFileBackend(str(path))
                )
                self.optuna = self._optuna.create_study(
                    study_name=NAME, storage=storage, direction="maximize", pruner=pruner,
                    load_if_exists=True,
                )  # fmt: skip
            except ValueError as error:
                raise FileFormatError(
                    f"'{path}' is not a journal of Optuna, or damaged ({error})."
                ) from error

    def next(self, trials: int) -> Claimed | None:
        """Return a trial that was interrupted, or else a new one while there are fewer than asked.

        Returns None if there is neither.
        """
        states = self._optuna.trial.TrialState
        with self._locked(), _quiet():
            known = self.optuna.get_trials(deepcopy=False)
            for one in known:
                if one.state == states.RUNNING:
                    held = claim(self.claims, one.number, _seconds_since(one.datetime_start))
                    if held is not None:
                        return Claimed(self._optuna.trial.Trial(self.optuna, one._trial_id), held)
            if len(known) >= trials:
                return None
            # What is drawn depends on the trials before, not on the process.
            sampler = self._optuna.samplers.TPESampler(seed=len(known), constant_liar=True)
            self.optuna.sampler = sampler
            trial = self.optuna.ask(self.space.distributions())
            held = claim(self.claims, trial.number)
            assert held is not None
            return Claimed(trial, held)

    def wait_for_others(self, trials: int) -> bool:
        """Return whether trials of other processes are still running, after a short wait."""
        if self.running() == 0:
            return False
        time.sleep(1.0)
        return True

    def running(self) -> int:
        """Return the number of trials in progress."""
        return sum(not trial.state.is_finished() for trial in self.trials())

    def trials(self) -> list[Any]:
        """Return Optuna's record of each trial, in order."""
        return self.optuna.get_trials(deepcopy=False)

    def best(self) -> Any | None:
        """Return the record of the trial with the highest accuracy that was not ended early."""
        complete = [t for t in self.trials() if t.state.name == "COMPLETE"]
        return max(complete, key=lambda t: t.value, default=None)

    def importances(self) -> dict[str, float]:
        """Return how much of the differences each setting explains; empty with too few trials."""
        complete = [t for t in self.trials() if t.state.name == "COMPLETE"]
        if len(complete) < 4 or len({t.value for t in complete}) < 2:
            return {}
        with _quiet(), contextlib.suppress(ValueError, RuntimeError):
            return dict(self._optuna.importance.get_param_importances(self.optuna))
        return {}

    def end(self, claimed: Claimed, value: float | None, *, pruned: bool = False) -> None:
        """Record the accuracy of a trial, or that it failed (None).

        If another process took the trial over and has ended it, its result stays.
        """
        states = self._optuna.trial.TrialState
        with _quiet(), suppress(self._optuna.exceptions.UpdateFinishedTrialError):
            if value is None:
                self.optuna.tell(claimed.number, state=states.FAIL)
            elif pruned:
                self.optuna.tell(claimed.number, state=states.PRUNED)
            else:
                self.optuna.tell(claimed.number, value)
        claimed.claim.done()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Optuna's warnings about its own experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _seconds_since(moment: datetime | None) -> float:
    return float("inf") if moment is None else (datetime.now() - moment).total_seconds()
