"""How a Trainer trains: in one process, or in several that share each batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from ..distributed import CHUNKS, Communicator, Share
from ..errors import ArgumentError
from ..typing import Array
from .callbacks import Callback, tell, tell_the_end
from .engines import Engine, shares
from .guard import Guard
from .progress import shown_by_default
from .step import rate

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["SingleProcess", "Strategy", "share_of", "strategy_for"]

T = TypeVar("T")
OnBatch: TypeAlias = Callable[[int], None]


class Strategy(Protocol):
    """What differs between a training in one process and one on several ranks.

    Attributes
    ----------
    guard : Guard
        Of changes of state, against signals.
    communicator : Communicator or None
        Of those that share the evaluations.
    """

    guard: Guard
    communicator: Communicator | None

    def fit(self, work: Callable[[], T]) -> T:
        """Call ``work``, a whole `Trainer.fit`."""

    def begin(self, work: Callable[[], None]) -> None:
        """Call ``work``, which prepares the epochs of a `fit`."""

    def shown(self) -> list[Callback]:
        """Return the callbacks that show the training."""

    def tell(self, hook: str, *news: object) -> None:
        """Call ``hook`` of the callbacks."""

    def tell_the_end(self, failure: BaseException | None = None) -> None:
        """Call ``on_fit_end`` of the callbacks."""

    def learn(self, dy: Array) -> None:
        """Compute the gradients of the whole batch, tell callbacks of them, and clip them."""

    def rate(self) -> float:
        """Return the learning rate of this step."""

    def update(self, lr: float) -> None:
        """Take the optimizer's step."""

    def scores(self, x: Array) -> Array:
        """Return the scores for a whole batch in evaluation mode."""

    def measured(self, work: Callable[[OnBatch | None], T]) -> T:
        """Call ``work``, an evaluation, with what it must call after each batch."""

    def agreed(self, work: Callable[[], T]) -> T:
        """Call ``work``; if it fails in any process, fail in all."""

    def memory(self) -> dict[str, Array]:
        """Return the optimizer's whole state."""

    def loaded(self) -> None:
        """Take over the optimizer's state, which was replaced by another whole one."""


class SingleProcess:
    """Train in this process alone."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.guard = Guard()
        self.communicator: Communicator | None = None

    def fit(self, work: Callable[[], T]) -> T:
        """Call ``work``."""
        return work()

    def begin(self, work: Callable[[], None]) -> None:
        """Call ``work``."""
        work()

    def shown(self) -> list[Callback]:
        """Return what the Trainer's ``progress`` asks for."""
        return shown_by_default(self._trainer.progress, self._trainer.callbacks)

    def tell(self, hook: str, *news: object) -> None:
        """Call the hook of all callbacks."""
        trainer = self._trainer
        tell([*trainer._showing, *trainer.callbacks], hook, trainer, *news)

    def tell_the_end(self, failure: BaseException | None = None) -> None:
        """Call ``on_fit_end`` of all callbacks."""
        trainer = self._trainer
        tell_the_end([*trainer._showing, *trainer.callbacks], trainer, failure)

    def learn(self, dy: Array) -> None:
        """Run backward; tell the callbacks; clip."""
        trainer = self._trainer
        trainer._run.backward(dy)
        self.tell("on_gradients")
        if trainer.clip_norm is not None:
            parameters = trainer.model.parameters()
            trainer.gradient_norm = trainer.engine.clip(parameters, trainer.clip_norm)

    def rate(self) -> float:
        """Return what the schedule says."""
        return rate(self._trainer)

    def update(self, lr: float) -> None:
        """Update all parameters."""
        trainer = self._trainer
        trainer.engine.update(trainer.optimizer, trainer.model.parameters(), lr)

    def scores(self, x: Array) -> Array:
        """Run the model."""
        return self._trainer._run(x)

    def measured(self, work: Callable[[OnBatch | None], T]) -> T:
        """Call ``work``."""
        return work(None)

    def agreed(self, work: Callable[[], T]) -> T:
        """Call ``work``."""
        return work()

    def memory(self) -> dict[str, Array]:
        """Return the optimizer's state."""
        return self._trainer.optimizer.state_dict()

    def loaded(self) -> None:
        """Do nothing."""


def strategy_for(trainer: Trainer, share: Share) -> Strategy:
    """Return how ``trainer`` trains its ``share`` of each batch."""
    if share.alone:
        return SingleProcess(trainer)
    from .several_ranks import SeveralRanks

    return SeveralRanks(trainer, share)


def share_of(engine: Engine, communicator: Communicator | None, chunks: int) -> Share:
    """Return this process's share of each batch.

    Raises
    ------
    ArgumentError
        If there are more ranks than chunks, or the engine cannot compute a share.
    """
    share = Share(communicator, chunks)
    if (chunks, share.alone) != (CHUNKS, True) and not shares(engine):
        what = "chunks" if share.alone else "several ranks"
        raise ArgumentError(
            f"the engine {engine.name!r} cannot divide a batch into {what}: its `prepare` and "
            "`loss` take no `share`. Use {engine}.",
            where="Trainer",
            arguments={"engine": "compiled"},
        )
    return share
