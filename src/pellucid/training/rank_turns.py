"""The points of a training on several ranks where rank 0 has its turn, and all hear of signals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..distributed import Communicator
from ..errors import PellucidError, RanksError
from ..typing import Array
from .held_signals import HeldSignals
from .shared_settings import SharedSettings

__all__ = ["RankTurns"]

GO, NEWS, STATE, FAILED = range(4)  # rank 0's words


class RankTurns:
    """Let rank 0 work while the others wait for its word.

    With each word every rank says which signals it has noted, so that all know the same after it,
    and what must be the same on all, so that none goes on with something else.

    Parameters
    ----------
    ranks : Communicator
    signals : HeldSignals
    settings : SharedSettings
    memory : callable
        Collective: returns the optimizer's whole state on rank 0.

    Attributes
    ----------
    failure : BaseException or None
        The last error that all ranks raised; each may have its own.
    """

    def __init__(
        self,
        ranks: Communicator,
        signals: HeldSignals,
        settings: SharedSettings,
        memory: Callable[[], dict[str, Array] | None],
    ) -> None:
        self._ranks, self._signals, self._settings = ranks, signals, settings
        self._memory = memory
        self._first = ranks.rank == 0
        self._patient = False
        self.open = False
        self.failure: BaseException | None = None

    def take(self, work: Callable[[], None], *, patient: bool = False) -> None:
        """Call ``work`` on all ranks; then, on all, the handlers of signals that any has noted.

        The others wait for rank 0 to finish; ``patient``, without keeping the processor busy.
        """
        self._patient = patient
        noted = self._round(work)
        while noted:
            numbers = self._signals.taken(noted)
            noted = self._round(partial(self._signals.call, numbers))

    def memory(self) -> dict[str, Array]:
        """Return the optimizer's whole state to rank 0 in its turn."""
        if not self._first:
            raise PellucidError(
                "can be taken by callbacks of rank 0 only, while several ranks train.",
                where="Trainer.state",
            )
        self._say(STATE)
        return self._memory() or {}

    def _round(self, work: Callable[[], None]) -> int:
        """Call ``work``; return the signals that any rank has noted.

        Rank 0 may fail, and all fail. If another rank does and rank 0 does not, it ends them all.
        """
        failure: BaseException | None = None
        self.open = True
        news: dict[str, Any] = {}
        try:
            work()
            if self._first:
                news = self._settings.changed()
        except BaseException as error:
            failure = error
        finally:
            self.open = False
        noted = self._tell_the_others(failure, news) if self._first else self._listen(failure)
        if failure is not None:
            raise failure
        return noted

    def _tell_the_others(self, failure: BaseException | None, news: dict[str, Any]) -> int:
        if failure is not None:
            self.failure = failure
            self._say(FAILED)
            self._ranks.broadcast(f"{type(failure).__name__}: {failure}".rstrip(": "))
            return 0
        noted, _ = self._say(NEWS if news else GO)
        if news:
            self._ranks.broadcast(news)
        return noted

    def _listen(self, failure: BaseException | None) -> int:
        """Wait for rank 0's last word, and do what it says until then."""
        while True:
            noted, word = self._say(GO)
            if word == STATE:
                self._memory()
            elif word == NEWS:
                self._settings.take_over(self._ranks.broadcast(None))
                return noted
            elif word == FAILED:
                heard = RanksError(self._ranks.broadcast(None), ranks="rank 0")
                heard.told = True
                self.failure = failure or heard
                raise self.failure
            else:
                return noted

    def _say(self, word: int) -> tuple[int, int]:
        """Say this rank's signals, and rank 0 a word; return all signals, and the word."""
        if self._patient:
            self._ranks.barrier()
        own = self._signals.noted, word, *self._settings.marks()
        every = self._ranks.collect(np.array(own, dtype=np.uint64))
        word = int(every[0, 1])
        if word in (GO, NEWS):
            if word == NEWS:  # which the others do not know yet
                every[:, -1] = 0
            try:
                self._settings.require_same(every[:, 2:])
            except PellucidError as error:
                self.failure = error
                raise
        return int(np.bitwise_or.reduce(every[:, 0])), word
