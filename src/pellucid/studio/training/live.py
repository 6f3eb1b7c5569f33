"""A training that a page looks at, and interferes with if it wants to."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from dataclasses import replace
from typing import Any

from ...errors import ArgumentError, PellucidError
from ...nn import Parameter
from ...runs.beginning import Run
from ...runs.finishing import finish
from ...runs.new_folder import give_up
from ...training import TrainingState
from ...typing import Array
from ..events import Events
from ..opened import Opened
from .budget import Budget
from .conductor import Conductor, Leave
from .mirror import Mirror
from .news import curve, place, records
from .pace import Pace

__all__ = ["LiveTraining"]

WAIT = 1.0  # seconds for a command to be obeyed before its answer goes out without that
PARTING = 4.0  # seconds to save a training when the studio ends
ALIVE = ("starting", "running", "paused")


class LiveTraining:
    """Train a run on a thread of its own; each method may be called by any other thread.

    Commands are obeyed between two batches. Without any, the weights are those of `Run.fit`, bit
    for bit.

    Parameters
    ----------
    run : Run
        From `pellucid.runs.begin` or `pellucid.runs.resume`.
    opened : Opened
        Its model is the mirror's.
    mirror : Mirror
    events : Events
        Told "training" and "changed".
    paused : bool
        Whether it waits before the first batch.

    Attributes
    ----------
    state : str
        "starting", "running", "paused", "measuring" (after the last epoch), "finished", "failed" or
        "stopped".
    error : str or None
        Why it failed.
    result : str or None
        What the finished run was measured at.
    """

    def __init__(
        self, run: Run, opened: Opened, mirror: Mirror, events: Events, *, paused: bool = False
    ) -> None:
        self.run, self.opened, self.mirror, self.events = run, opened, mirror, events
        self.state = "starting"
        self.error: str | None = None
        self.result: str | None = None
        self.pace = Pace(paused=paused)
        self.budget = Budget()
        self._conductor = Conductor(self._show, self.pace, self.budget)
        run.trainer.callbacks.append(self._conductor)  # the last: the files are written before
        self._parameters: dict[str, Parameter] = run.trainer.model.parameters()
        self._rates: dict[str, float] = {}  # of what is frozen, before
        self._back: TrainingState | None = None
        self._stopping = self._closing = self._edited = False
        self._pinned: Array | None = None
        self._told = 0  # losses
        self._begun = time.perf_counter()
        self._tempo = (self._begun, 0)  # when the last event was told, and the steps by then
        self._share = 0.0  # of the training's time that was spent on the page
        self._settled = threading.Condition()  # its lock: of `state` too
        self._thread = threading.Thread(target=self._work, name="studio-training", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it trains, or waits to."""
        return self.state in ALIVE

    def start(self) -> None:
        """Begin to train."""
        self._begun = time.perf_counter()
        self._tempo = (self._begun, len(self.run.trainer.history.losses))
        self._thread.start()

    # Commands -----------------------------------------------------------------------------------

    def go(self) -> None:
        """Train on, as fast as the engine does."""
        self._set_pace(None, None)

    def pause(self) -> None:
        """Wait after this batch."""
        self._set_pace(0, None)

    def step(self, steps: int = 1) -> None:
        """Take some steps, and wait."""
        if steps < 1:
            raise ArgumentError(f"must be 1 or more, received {steps}.", where="steps")
        self._set_pace(steps, None)

    def slow(self, per_second: float) -> None:
        """Take so many steps a second."""
        if not 0.01 <= per_second <= 1000:
            raise ArgumentError(
                f"must be from 0.01 to 1000 steps, received {per_second}.", where="per_second"
            )
        self._set_pace(None, per_second)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate, which a schedule multiplies."""
        if not (math.isfinite(lr) and lr >= 0):
            raise ArgumentError(f"must be a number, 0 or more; received {lr}.", where="lr")

        def work() -> None:
            self.run.trainer.lr = lr

        self._do(work)

    def freeze(self, value: int, *, frozen: bool) -> None:
        """Set the rates of the parameters that make a value to 0, or to what they were."""
        layer = self.opened.nodes[self.opened.require_value(value) - 1].layer if value else None
        own = {id(p) for p in layer.parameters().values()} if layer is not None else set()
        keys = [key for key, p in self.opened.model.parameters().items() if id(p) in own]
        if not keys:
            raise ArgumentError("this layer has no parameters to freeze.", where="value")

        def work() -> None:
            for key in keys:
                p = self._parameters[key]
                if frozen and p.rate:
                    self._rates[key] = p.rate
                    p.rate = 0.0
                elif not frozen and not p.rate:
                    p.rate = self._rates.pop(key, 1.0)

        if frozen and not any(p.rate for key, p in self._parameters.items() if key not in keys):
            raise ArgumentError(
                "nothing would be left that learns. Unfreeze another layer first.", where="value"
            )
        self._do(work)

    def back(self, epoch: int) -> None:
        """Go back to the state after an epoch, 0 being the beginning, and train on from there."""
        kept = self._conductor.earlier.epochs
        if epoch not in kept:
            known = ", ".join(map(str, kept)) or "none"
            raise ArgumentError(f"is not one of those that are kept ({known}).", where="epoch")

        def work() -> None:
            state = self._conductor.earlier.back(epoch)
            self._back = replace(state, epochs=self.run.trainer.epochs)
            self._become("starting")
            self._conductor.leaving = True

        self._do(work, "running", "paused", "finished", "failed")

    def edit(self, key: str, index: tuple[int, ...], number: float) -> None:
        """Set one weight by hand; where it lies was checked."""

        def work() -> None:
            self._parameters[key].data[index] = number
            self._edited = True

        self._do(work)

    def pin(self, numbers: Array | None) -> None:
        """Tell the probabilities of an image (C, H, W) each time; None: of none."""
        self._do(lambda: setattr(self, "_pinned", numbers), *ALIVE, "finished", "failed")

    def stop(self) -> None:
        """End after this batch; the checkpoint is written, and the files of the run are complete.

        A training that is stopped goes on with `pellucid.runs.resume`.
        """
        self._leave()

    def close(self, seconds: float = PARTING) -> None:
        """Save within some seconds, and end; the studio is ending."""
        self._closing = True
        self._leave()
        if self._thread.ident is None:
            return
        self._thread.join(seconds)
        if self._thread.is_alive() and self._conductor.measuring:
            # The state after the last batch of the epoch, whose evaluation is repeated.
            self.run.files.write(self.run.trainer)

    def wait(self, *states: str, seconds: float | None = None) -> bool:
        """Wait until the training is in one of these states; return whether it is."""
        with self._settled:
            return self._settled.wait_for(lambda: self.state in states, seconds)

    def _leave(self) -> None:
        def work() -> None:
            self._stopping = True

        self._conductor.post(work)
        self._stopping = self._conductor.leaving = True

    def _set_pace(self, steps: int | None, per_second: float | None) -> None:
        def work() -> None:
            self.pace.steps, self.pace.per_second = steps, per_second
            self._become("paused" if steps == 0 else "running")

        self._do(work)

    def _do(self, work: Callable[[], Any], *states: str) -> None:
        """Have a command obeyed; do not wait long, as an evaluation may take its time."""
        if self.state not in (states or ALIVE):
            hint = {
                "failed": "Go back to an earlier epoch, or start a new training.",
                "finished": "Go back to an earlier epoch, or train for more epochs.",
            }
            raise PellucidError(
                f"the training is {self.state}. {hint.get(self.state, 'Start a new one.')}"
            )
        future: Future[Any] = self._conductor.post(work)
        try:
            future.result(WAIT)
        except TimeoutError:
            return

    # What is told -------------------------------------------------------------------------------

    def described(self, since: int = 0) -> dict[str, Any]:
        """Return all that a page may know, with the losses from number ``since`` on.

        Answers and events may overtake each other: ``moment``, in seconds, says which is newer.
        """
        with self._settled:
            return self._described(since)

    def _described(self, since: int) -> dict[str, Any]:
        trainer = self.run.trainer
        return {
            "moment": time.monotonic(),
            "network": self.opened.id,
            "version": self.opened.version,
            "state": self.state,
            "error": self.error,
            "result": self.result,
            "folder": self.run.folder.path.name,
            "per_second": self.pace.per_second,
            **place(trainer),
            **curve(trainer.history.losses, since),
            "records": records(trainer),
            "marks": self._conductor.earlier.epochs,
            "frozen": [key for key, p in self._parameters.items() if not p.rate],
            "share": self._share,
        }

    def _show(self, resting: bool) -> bool:
        """Renew what the page looks at, unless a question is being answered about it; tell."""
        opened, pinned, probabilities = self.opened, None, None
        free = opened.lock.acquire(blocking=False)
        if free:
            try:
                self.mirror.renew()
                opened.optimizer = self.mirror.optimizer
                opened.changed()
                if self._pinned is not None:
                    pinned = opened.keep(self._pinned)
                    scores = opened.scores(pinned)
                    probabilities = opened.probabilities(scores).tolist()
            finally:
                opened.lock.release()
        if self.state in ALIVE and (resting or self.state == "starting"):
            self._become("paused" if self.pace.steps == 0 else "running")
        trainer, now = self.run.trainer, time.perf_counter()
        steps = len(trainer.history.losses)
        then, before = self._tempo
        self._tempo = now, steps
        self._share = self.budget.spent / max(now - self._begun - self._conductor.rested, 1e-9)
        told = self.described(min(self._told, steps))
        told["records"] = told["records"][-3:]
        told["steps_per_second"] = max(steps - before, 0) / max(now - then, 1e-9)
        told["pinned"], told["pinned_image"] = probabilities, pinned
        self._told = steps
        self.events.tell("training", told)
        if free:
            self.events.tell("changed", {"network": opened.id, "version": opened.version})
        return free

    def _become(self, state: str) -> None:
        with self._settled:
            self.state = state
            self._settled.notify_all()

    # The thread ---------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._stopping:
                self._train()
                if not self._stopping and self._back is None:
                    self._show_at_last()
                    self._conductor.idle()
                if self._back is not None and not self._stopping:
                    self._go_back()
            self._end()
        except Exception as error:
            self._fail(error)
        finally:
            give_up(self.run.folder)
            if self.state != "failed":
                self._become("stopped")
            self._show_at_last()

    def _train(self) -> None:
        """Train until the end, a failure, or until a command leads elsewhere."""
        try:
            self.run.fit()
        except Leave:
            return
        except Exception as error:
            self._fail(error)
            return
        self._become("measuring")
        self._show(False)
        self._finish()
        self._become("finished")

    def _finish(self) -> None:
        """Measure the run and draw its pictures, without which it is as good."""
        try:
            finished = finish(self.run)
            self.result = None if finished is None else str(finished)
        except PellucidError as error:
            self.result = str(error)

    def _go_back(self) -> None:
        assert self._back is not None
        self.run.trainer.load_state(self._back)
        self.run.files.go_back(self.run.trainer)
        self._back, self._conductor.leaving = None, False
        self._rates, self.error, self.result = {}, None, None

    def _end(self) -> None:
        """Leave the files of the run complete; if the studio ends, the checkpoint."""
        if self.run.trainer.history.losses:
            self.run.files.kept = True
        if self._edited:
            self.run.files.write(self.run.trainer)
        if not (self._closing and self.run.files.saved) and self.state != "finished":
            self._finish()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, PellucidError):
            self.error = str(error)
        else:
            self.error = "an unexpected error; the terminal that runs the studio shows it."
            traceback.print_exception(error)
        self._become("failed")

    def _show_at_last(self) -> None:
        """Show the state that the training ended in; a question may be in the way for a while."""
        for _ in range(20):
            if self._closing or self._show(True):
                return
            time.sleep(0.1)
