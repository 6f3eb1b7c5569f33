"""An exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import StateDictError
from ..nn import Parameter
from ..optim.checks import as_memory, as_steps, require_decay, wide
from ..typing import Array

__all__ = ["WeightAverage", "average", "average_by"]


class WeightAverage:
    """Keep ``a ← d·a + (1-d)·w`` for each parameter, and swap it with the weights for a while.

    The first update copies the weights, as in PyTorch's ``AveragedModel``. Later ones use d =
    min(decay, (1+t) / (10+t)) after t updates, so that a short training is not an average of its
    first steps (as TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``). Buffers are not
    averaged: the running statistics of a batch norm, which are averages themselves, stay those of
    the training, as in PyTorch. Polyak & Juditsky 1992, "Acceleration of stochastic approximation
    by averaging"; Szegedy et al. 2016, section 8.

    Parameters
    ----------
    decay : float
        From 0 to below 1, such as 0.999: about 1 / (1 - decay) steps count.
    update : callable
        Does what `average` does; an engine's may be faster.

    Attributes
    ----------
    updates : int
    arrays : dict of key to array
        The averages, at least float32; empty before the first update.
    own : dict of key to array
        The training's own weights, while the averages are in their place; otherwise empty.
    """

    def __init__(self, decay: float, update: Callable[[Array, Array, float], None]) -> None:
        self.decay = require_decay(decay, "ema")
        self.updates = 0
        self.arrays: dict[str, Array] = {}
        self.own: dict[str, Array] = {}
        self._update = update

    def step(self, parameters: Mapping[str, Parameter]) -> None:
        """Take the weights into the average."""
        t = self.updates
        decay = min(self.decay, (1 + t) / (10 + t))
        for key, p in parameters.items():
            if key in self.arrays:
                self._update(self.arrays[key], p.data, decay)
            else:
                self.arrays[key] = p.data.astype(wide(p.data))
        self.updates += 1

    def swap_in(self, parameters: Mapping[str, Parameter]) -> None:
        """Put the averages in place of the weights, which stay as `own`."""
        self.own = {key: parameters[key].data.copy() for key in self.arrays}
        for key, array in self.arrays.items():
            parameters[key].data[...] = array

    def swap_out(self, parameters: Mapping[str, Parameter]) -> None:
        """Put the training's own weights back."""
        for key, array in self.own.items():
            parameters[key].data[...] = array
        self.own = {}

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the averages, keyed ``a.parameter``, and the number of updates ``t``."""
        arrays = {f"a.{key}": array.copy() for key, array in self.arrays.items()}
        return {"t": np.asarray(self.updates), **arrays}

    def load_state_dict(
        self, state: Mapping[str, Array], parameters: Mapping[str, Parameter]
    ) -> None:
        """Replace the averages by copies of what `state_dict` returned.

        Raises
        ------
        StateDictError
            If they are not those of these parameters.
        """
        arrays = {k[2:]: as_memory(v, k) for k, v in state.items() if k != "t"}
        if "t" not in state or (arrays and arrays.keys() != parameters.keys()):
            raise StateDictError(
                "has averaged weights of another network. Resume from another state.",
                where="averaged weights",
            )
        for key, a in arrays.items():
            shape = parameters[key].data.shape
            if a.shape != shape:
                raise StateDictError(
                    f"has an average of {key!r} of shape {a.shape}, the model has {shape}. Build "
                    "the model as it was.",
                    where="averaged weights",
                )
        self.arrays, self.updates = arrays, as_steps(state["t"], "t")


def average(a: Array, w: Array, decay: float) -> None:
    """Compute ``a ← a + (1-d)·(w - a)`` in place.

    Examples
    --------
    >>> a = np.array([1.0, 2.0])
    >>> average(a, np.array([3.0, 2.0]), decay=0.75)
    >>> a
    array([1.5, 2. ])
    """
    a += a.dtype.type(1 - decay) * (w - a)


def average_by(engine: Any) -> Callable[[Array, Array, float], None]:
    """Return the engine's function that does what `average` does, or `average` itself."""
    found: Callable[[Array, Array, float], None] = getattr(engine, "average", average)
    return found
