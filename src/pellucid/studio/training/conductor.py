"""What a live training does between two batches: obey the page, wait, and show where it is."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ...training import Callback, EpochRecord, Trainer
from .budget import Budget
from .earlier import EarlierStates
from .pace import Pace

__all__ = ["Conductor", "Leave"]

PATIENCE = 0.05  # seconds between two attempts to show a training at rest


class Leave(Exception):  # noqa: N818 - as KeyboardInterrupt, which ends a training likewise
    """Ends `Trainer.fit` between two batches."""


class Conductor(Callback):
    """Serve commands between batches, pause, and call ``show`` as often as the budget allows.

    The Trainer is not changed by any of that; a command may change it. All of it happens on the
    training's own thread, `post` alone is called by others.

    Parameters
    ----------
    show : callable
        Shows where the training stands, and returns whether it could; called with whether it rests.
    pace : Pace
    budget : Budget

    Attributes
    ----------
    earlier : EarlierStates
    leaving : bool
        Set by whoever wants `Leave` to be raised.
    measuring : bool
        Whether an epoch is being evaluated.
    resting : bool
        Whether it waits to be told what to do.
    rested : float
        Seconds that it has waited in all.
    """

    def __init__(self, show: Callable[[bool], bool], pace: Pace, budget: Budget) -> None:
        self.show, self.pace, self.budget = show, pace, budget
        self.earlier = EarlierStates()
        self.leaving = self.measuring = self.resting = False
        self.rested = 0.0
        self._commands: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]]
        self._commands = queue.SimpleQueue()
        self._stale = True  # whether something has changed since the last `show`

    # Called by other threads

    def post(self, work: Callable[[], Any]) -> Future[Any]:
        """Have ``work`` done between two batches."""
        future: Future[Any] = Future()
        self._commands.put((work, future))
        return future

    # Hooks

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Keep the state to begin with."""
        if len(trainer.history.losses) == trainer.epoch * len(trainer.loader):
            self.earlier.keep(trainer)

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Wait if it is to begin at rest."""
        self._between()

    def on_gradients(self, trainer: Trainer) -> None:
        """Leave in the middle of a long batch, which is then undone."""
        if self.leaving:
            raise Leave

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Obey, show, and wait."""
        self._stale = True
        self.pace.took()
        self._between()

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """Say that no batch is coming for a while."""
        self.measuring = True

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Keep the state; show the epoch, unless epochs are as short as steps."""
        self.measuring = False
        self.earlier.keep(trainer)
        self._stale = True
        if self.budget.due():
            self._show()
        if self.leaving:
            raise Leave

    def on_fit_end(self, trainer: Trainer) -> None:
        """Forget that an evaluation was interrupted."""
        self.measuring = False

    # Waiting

    def idle(self) -> None:
        """Obey until ``leaving`` is set, while nothing is trained."""
        while not self.leaving:
            self._obey(None)

    def _between(self) -> None:
        while not self._commands.empty():
            self._obey(0)
        if self.leaving:
            raise Leave
        if self.pace.rest() > 0:  # which shows where it rests
            self._rest()
        elif self.budget.due():
            self._show()

    def _rest(self) -> None:
        try:
            while (rest := self.pace.rest()) > 0:
                self.resting = self.pace.steps == 0
                if self._stale:
                    self._show()
                wait = min(rest, PATIENCE) if self._stale else rest
                begin = time.perf_counter()
                self._obey(wait if wait < math.inf else None)
                self.rested += time.perf_counter() - begin
                if self.leaving:
                    raise Leave
        finally:
            self.resting = False

    def _show(self) -> None:
        with self.budget.spending():
            self._stale = not self.show(self.resting)

    def _obey(self, wait: float | None) -> None:
        """Do the next command, waiting for one for some seconds; None: for as long as it takes."""
        try:
            work, future = self._commands.get(block=wait != 0, timeout=wait)
        except queue.Empty:
            return
        self._stale = True
        try:
            done = work()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(done)
