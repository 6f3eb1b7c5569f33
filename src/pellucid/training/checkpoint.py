"""Checkpoints: the whole state of a training on disk, to go on from after an interruption."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.fingerprint import fingerprint
from ..errors import ArgumentError
from ..typing import PathLike
from .callbacks import Callback
from .history import EpochRecord
from .state import TrainingState

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Write the state of the training to ``path`` after each epoch, and every ``minutes`` within.

    When the training ends early, by Ctrl-C or an error, the state it ended in is written too. A
    training that was killed at any moment goes on from the file and ends with the same bits as one
    that was not::

        trainer.load_state(TrainingState.load(path))
        trainer.fit()

    The file is complete at every moment: a new one replaces it in one step. It holds fingerprints
    of the images, and `Trainer.load_state` refuses others.

    Parameters
    ----------
    path : str or path
    minutes : float
        0 writes after every batch.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pellucid import data, models
    >>> from pellucid.training import Trainer, TrainingState
    >>> train, test = data.digits()
    >>> def trainer(epochs, **more):
    ...     model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    ...     return Trainer(model, train.take(200), test, epochs=epochs, **more)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "checkpoint.safetensors")
    ...     history = trainer(1, callbacks=[Checkpoint(path)]).fit()
    ...     later = trainer(3)
    ...     later.load_state(TrainingState.load(path))
    >>> later.epoch, len(later.fit().epochs)
    (1, 3)
    """

    def __init__(self, path: PathLike, minutes: float = 5) -> None:
        if not minutes >= 0:
            raise ArgumentError(f"must be 0 or more, received {minutes!r}.", where="minutes")
        self.path = Path(path)
        self.minutes = minutes
        self._written: tuple[int, int] | None = None
        self._failed = False

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Take the fingerprints of the images; start the clock."""
        self._data = {"train": fingerprint(trainer.train)}
        if trainer.validation is not None:
            self._data["validation"] = fingerprint(trainer.validation)
        self._written, self._failed = _place(trainer), False
        self._since = time.monotonic()

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Write the state if ``minutes`` have passed since the last one."""
        if self.due():
            self.write(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write the state."""
        self.write(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write the state that the training ended in, if that is not written already."""
        if self.behind(trainer):
            self.write(trainer)

    def due(self) -> bool:
        """Return whether ``minutes`` have passed since the last state was written."""
        return time.monotonic() - self._since >= 60 * self.minutes

    def behind(self, trainer: Trainer) -> bool:
        """Return whether the training has a state that is not written, and could be."""
        # Half a step has no state; a disk that was full a moment ago still is.
        whole = trainer._broken is None and not self._failed
        return whole and self._written != _place(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write the state now."""
        state = trainer.state()
        state.data = self._data
        try:
            self.save(state, trainer)
        except Exception:
            self._failed = True
            raise
        self._written, self._since = _place(trainer), time.monotonic()

    def save(self, state: TrainingState, trainer: Trainer) -> None:
        """Write ``state`` to the file; a subclass may add to it."""
        state.save(self.path)


def _place(trainer: Trainer) -> tuple[int, int]:
    """Return where a training stands: its finished epochs and batches."""
    return trainer.epoch, len(trainer.history.losses)
