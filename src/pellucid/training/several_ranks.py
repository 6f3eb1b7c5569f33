"""A training on several ranks: what they do together, and where they wait for each other.

In a batch, all ranks do the same on their own images; messages are those of `Share.total` and
`SharedUpdate`. Then rank 0's callbacks are called in its turn (`RankTurns`), after which all go on,
or stop, alike.
"""

from __future__ import annotations

import platform
import sys
import traceback
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from ..distributed import Communicator, Share, agreed
from ..errors import NumericsError, PellucidError, RanksError
from ..typing import Array
from .callbacks import Callback, changes_gradients, tell, tell_the_end
from .guard import Guard
from .handshake import shake_hands
from .held_signals import HeldSignals
from .progress import shown_by_default
from .rank_turns import RankTurns
from .shared_settings import SharedSettings
from .shared_update import SharedUpdate
from .step import rate
from .strategy import OnBatch

if TYPE_CHECKING:
    from ..engine import Plan
    from .trainer import Trainer

__all__ = ["SeveralRanks"]

T = TypeVar("T")

INTERRUPTED = "interrupted by a signal."
LONG = ("on_fit_begin", "on_epoch_end", "on_fit_end")  # hooks in which files are written


class SeveralRanks:
    """Train together with the other ranks of a ``share``.

    Errors are of three kinds. What all ranks find alike, such as a loss that is not finite, all
    raise. If rank 0 fails in its turn, the others are told, and raise a `RanksError`. Any other
    error of one rank finds the others in the middle of a message: this rank prints it and ends them
    all.
    """

    def __init__(self, trainer: Trainer, share: Share) -> None:
        self._trainer, self._share = trainer, share
        self.communicator: Communicator | None = share.communicator
        self._ranks = share.communicator
        self._first = self._ranks.rank == 0
        self._signals = HeldSignals()
        self.guard: Guard = self._signals
        self._settings = SharedSettings(trainer)
        self._turns = RankTurns(
            self._ranks, self._signals, self._settings, lambda: self.updating.memory()
        )
        self._rate: float | None = None  # of a step that is taken during the backward
        self._optimizer = trainer.optimizer
        self._update = self._shared_update()

    @property
    def updating(self) -> SharedUpdate:
        """The exchange of gradients and weights."""
        if self._optimizer is not self._trainer.optimizer:  # replaced since the last `fit`
            self._optimizer = self._trainer.optimizer
            self._update = self._shared_update()
        return self._update

    def _shared_update(self) -> SharedUpdate:
        trainer = self._trainer
        return SharedUpdate(
            cast("Plan", trainer._run), self._share, trainer.optimizer, trainer.engine
        )

    # The training ----------------------------------------------------------------------------

    def fit(self, work: Callable[[], T]) -> T:
        """Call ``work``, and only note signals until all ranks know of them."""

        def together() -> T:
            try:
                return work()
            except BaseException as failure:
                self._end_all_unless_alike(failure)
                raise

        return self._signals.fit(together)

    def begin(self, work: Callable[[], None]) -> None:
        """Call ``work``, and go on if it succeeds everywhere and all ranks have the same."""

        def prepared() -> None:
            agreed(self._ranks, work)
            shake_hands(self._trainer, self._ranks)

        self._alike(prepared)
        self._settings.look()

    def shown(self) -> list[Callback]:
        """Return what the Trainer's ``progress`` asks for, on rank 0."""
        if not self._first:
            return []
        return shown_by_default(self._trainer.progress, self._trainer.callbacks)

    def tell(self, hook: str, *news: object) -> None:
        """Call the hook of rank 0's callbacks, and of those that change gradients on all ranks."""
        callbacks, trainer = self._callbacks(), self._trainer
        if hook == "on_compile":  # in the middle of a batch, and not on all ranks
            tell(callbacks if self._first else (), hook, trainer, *news)
            return
        self._turns.take(lambda: tell(callbacks, hook, trainer, *news), patient=hook in LONG)
        if hook in ("on_evaluate_begin", "on_epoch_end"):
            self._alike(self._require_same_weights)

    def tell_the_end(self, failure: BaseException | None = None) -> None:
        """Call ``on_fit_end`` of the callbacks that `tell` calls."""
        if failure is not None:
            self._end_all_unless_alike(failure)
        callbacks, trainer = self._callbacks(), self._trainer
        self._turns.take(lambda: tell_the_end(callbacks, trainer, failure), patient=True)

    def learn(self, dy: Array) -> None:
        """Run backward and add up the gradients; tell callbacks of them; clip.

        If there is nothing to tell or to clip, weights are updated as their gradients are summed.
        """
        trainer, updating = self._trainer, self.updating
        changing = [each for each in trainer.callbacks if changes_gradients(each)]
        at_once = not changing and trainer.clip_norm is None
        self._rate = self._alike(lambda: rate(trainer)) if at_once else None
        t = trainer.optimizer.t
        try:
            updating.begin(self._rate)
            trainer._run.backward(dy)
            updating.finish()
        except BaseException as error:
            trainer._broken = error if trainer.optimizer.t != t else None
            raise
        if changing:
            updating.whole_gradients()
            self._alike(lambda: self._all_well(lambda: tell(changing, "on_gradients", trainer)))
        if trainer.clip_norm is not None:
            trainer.gradient_norm = updating.clip(trainer.clip_norm)

    def rate(self) -> float:
        """Return what the schedule says, or what it said before the backward."""
        if self._rate is not None:
            return self._rate
        return self._alike(lambda: rate(self._trainer))

    def update(self, lr: float) -> None:
        """Update this rank's part of the weights; exchange them."""
        self.updating.update(lr)

    def scores(self, x: Array) -> Array:
        """Run the model on as many images at a time as the plan has room for."""
        trainer = self._trainer
        most = self._share.largest(trainer._most)
        if len(x) <= most:
            return trainer._run(x)
        parts = [trainer._run(x[k : k + most]).copy() for k in range(0, len(x), most)]
        return np.concatenate(parts)

    def measured(self, work: Callable[[OnBatch | None], T]) -> T:
        """Call ``work``, whose errors all ranks raise; anew if a signal's handler lets it go on."""

        def look(images: int) -> None:
            if self._signals.noted:
                raise PellucidError(INTERRUPTED)

        while True:
            try:
                return self._alike(lambda: work(look))
            except PellucidError as error:
                if error.message != INTERRUPTED:
                    raise
            self._turns.take(lambda: None)

    def agreed(self, work: Callable[[], T]) -> T:
        """Call ``work``, which loads a state; if it fails on any rank, fail on all."""
        if self._signals.fitting:  # the other ranks are not here
            raise PellucidError(
                "cannot be called while several ranks train. Stop the training, and call it on all "
                "of them.",
                where="Trainer.load_state",
            )
        return agreed(self._ranks, work)

    def memory(self) -> dict[str, Array]:
        """Return the optimizer's whole state: to rank 0 in its turn, else to all that ask."""
        if self._turns.open:
            return self._turns.memory()
        if self._signals.fitting:
            raise PellucidError(
                "cannot be taken within a batch that several ranks share. Take it in "
                "`on_batch_end`.",
                where="Trainer.state",
            )
        return self._ranks.broadcast(self.updating.memory())

    def loaded(self) -> None:
        """Keep this rank's part of the optimizer's state."""
        before = self._update
        if self.updating is before:  # a new one has done it
            before.load()

    def _callbacks(self) -> list[Callback]:
        trainer = self._trainer
        if self._first:
            return [*trainer._showing, *trainer.callbacks]
        return [each for each in trainer.callbacks if changes_gradients(each)]

    # Errors ----------------------------------------------------------------------------------

    def _alike(self, work: Callable[[], T]) -> T:
        """Call ``work``, which fails on all ranks or on none."""
        try:
            return work()
        except BaseException as error:
            self._turns.failure = error
            raise

    def _all_well(self, work: Callable[[], None]) -> None:
        """Call ``work``; if it fails on any rank, fail on all. Faster than `agreed`."""
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:
            failure = error
        failed = self._ranks.collect(np.array(failure is not None))
        if failure is not None:
            raise failure
        if failed.any():
            raise RanksError("failed in on_gradients.", ranks=f"rank {int(failed.argmax())}")

    def _require_same_weights(self) -> None:
        weights = cast("Plan", self._trainer._run).weights
        every = self._ranks.collect(np.array(zlib.crc32(weights.data)))
        if (every != every[0]).any():
            raise PellucidError(
                "the weights are no longer the same on all ranks. A callback that changes them "
                "must do so on all: those that have `on_gradients` are called there.",
                where="Trainer",
            )

    def _end_all_unless_alike(self, failure: BaseException) -> None:
        if failure is self._turns.failure or isinstance(failure, NumericsError):
            return
        ranks = self._ranks
        place = f"rank {ranks.rank} of {ranks.size} (on host {platform.node()})"
        print(f"{place}: {str(failure) or type(failure).__name__}", file=sys.stderr, flush=True)
        if not isinstance(failure, PellucidError | OSError | KeyboardInterrupt):
            traceback.print_exception(failure)
        ranks.abort(1)
