"""What recorded kernels have taken from the model: whether it is still the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, is_
from typing import Any

import numpy as np

from ..nn import Layer, Parameter
from ..nn.evaluation import here
from .step import Step

__all__ = ["Facts", "Modes", "can_be_read_in_place", "states"]

_data, _rate = attrgetter("data"), attrgetter("rate")
_training = attrgetter("training")


class Modes:
    """Which of some layers are in training, looked up in a tenth of the time of `Layer.training`.

    Examples
    --------
    >>> layers = [Layer().eval(), Layer()]
    >>> Modes(layers).now()
    [False, True]
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers, self._own = layers, [vars(layer) for layer in layers]

    def now(self) -> list[bool]:
        """Return the mode of each layer for this thread."""
        if here.modes:
            return [*map(_training, self._layers)]
        return [own.get("training", True) for own in self._own]


class Facts:
    """The attributes of layers, and the arrays of parameters, when the kernels were recorded.

    A recorded kernel takes them as numbers and addresses. Whether each attribute is the same object
    is a comparison of 20 ns.

    Parameters
    ----------
    layers : sequence of Layer
    parameters : sequence of Parameter
    frozen : bool
        Whether the weights will not change: then only the layers' modes are compared.
    """

    def __init__(
        self, layers: Sequence[Layer], parameters: Sequence[Parameter], *, frozen: bool
    ) -> None:
        self._parameters, self._frozen = parameters, frozen
        self._modes = Modes(layers)
        self._training = self._modes.now()
        self._of_layers = [vars(layer) for layer in layers]
        self._attributes = [*chain.from_iterable(map(dict.values, self._of_layers))]
        self._arrays, self._rates = [*map(_data, parameters)], [*map(_rate, parameters)]

    @property
    def hold(self) -> bool:
        """Whether all of them are the same."""
        if self._training != self._modes.now():
            return False
        if self._frozen:
            return True
        now = [*chain.from_iterable(map(dict.values, self._of_layers))]
        return (
            len(now) == len(self._attributes)
            and all(map(is_, now, self._attributes))
            and all(map(is_, map(_data, self._parameters), self._arrays))
            and self._rates == [*map(_rate, self._parameters)]
        )


def can_be_read_in_place(parameters: Sequence[Parameter]) -> bool:
    """Return whether kernels read the parameters' own arrays, not copies made before each call."""
    return all(
        isinstance(p.data, np.ndarray) and p.data.dtype == np.float32 and p.data.flags.carray
        for p in parameters
    )


def states(steps: Sequence[Step]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the attributes of all steps and their algorithms, and a copy of each."""
    found = [vars(holder) for step in steps for holder in step.holders()]
    return [(one, dict(one)) for one in found]
