"""The states of a training after its epochs, to go back to."""

from __future__ import annotations

from ...training import Trainer, TrainingState

__all__ = ["EarlierStates"]

MOST_BYTES = 256 << 20


class EarlierStates:
    """Keep the state after each epoch, as far as they fit into a number of bytes.

    The first one and the newest ones stay.

    Parameters
    ----------
    most : int
        Bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid import data, models
    >>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> trainer = Trainer(model, data.digits()[0].take(100), epochs=1)
    >>> states = EarlierStates()
    >>> states.keep(trainer)
    >>> history = trainer.fit()
    >>> states.keep(trainer)
    >>> states.epochs
    [0, 1]
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self._states: dict[int, TrainingState] = {}

    @property
    def epochs(self) -> list[int]:
        """The epochs, in order."""
        return sorted(self._states)

    def keep(self, trainer: Trainer) -> None:
        """Keep the present state, unless it is too large by itself."""
        weights = sum(b.data.nbytes for b in trainer.model.buffers().values())
        memory = sum(a.nbytes for kept in trainer.optimizer.memory.values() for a in kept.values())
        if 2 * (weights + memory) > self.most:  # before it is copied
            return
        self._states[trainer.epoch] = trainer.state()
        while len(self._states) > 2 and sum(map(_bytes, self._states.values())) > self.most:
            del self._states[self.epochs[1]]

    def back(self, epoch: int) -> TrainingState:
        """Return the state after an epoch, and forget those after it."""
        self._states = {k: state for k, state in self._states.items() if k <= epoch}
        return self._states[epoch]


def _bytes(state: TrainingState) -> int:
    """Return the bytes of a state's arrays."""
    arrays = (*state.weights.values(), *state.optimizer.values(), *state.average.values())
    return sum(a.nbytes for a in arrays) + state.order.nbytes + 8 * len(state.history.losses)
