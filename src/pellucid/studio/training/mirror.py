"""A copy of a network in training that others may read while it goes on."""

from __future__ import annotations

import copy

import numpy as np

from ...nn import Buffer, Layer, Parameter
from ...optim import Optimizer
from ...training import Trainer
from ...training.step import rate

__all__ = ["Mirror"]


class Mirror:
    """Copies of a Trainer's model and optimizer as they were at the last `renew`.

    Attributes
    ----------
    model : Layer
    optimizer : Optimizer
        Its ``lr`` is the scheduled rate of the next step.

    Examples
    --------
    >>> from pellucid import data, models
    >>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> trainer = Trainer(model, data.digits()[0].take(100), epochs=1, schedule="cosine")
    >>> mirror = Mirror(trainer)
    >>> history = trainer.fit()
    >>> mirror.renew()
    >>> mirror.optimizer.t, mirror.optimizer.lr
    (1, 0.0)
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.model: Layer = copy.deepcopy(trainer.model)
        own, theirs = self.model.buffers(), trainer.model.buffers()
        self._pairs: list[tuple[Buffer, Buffer]] = [(own[key], theirs[key]) for key in theirs]
        self.optimizer: Optimizer = copy.deepcopy(trainer.optimizer)
        self.renew()

    @property
    def size(self) -> int:
        """The bytes of the model's arrays."""
        return sum(there.data.nbytes for _, there in self._pairs)

    def renew(self) -> None:
        """Copy weights, running statistics, rates, and the optimizer's memory."""
        for here, there in self._pairs:
            if here.data.shape == there.data.shape:
                np.copyto(here.data, there.data)
            else:
                here.data = there.data.copy()
            if isinstance(here, Parameter) and isinstance(there, Parameter):
                here.rate, here.decay = there.rate, there.decay
        self.optimizer = copy.deepcopy(self._trainer.optimizer)
        self.optimizer.lr = rate(self._trainer)
