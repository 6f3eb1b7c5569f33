"""What an optimizer keeps, in arrays laid out as a plan's weights and gradients are.

Then neighbouring parameters of one rate, one weight decay and one number of steps are one launch
over a part of each array.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from operator import is_, itemgetter
from typing import NamedTuple

import numpy as np

from ...memory import aligned_zeros
from ...optim import Optimizer, ParameterStep
from ...typing import Array
from ..flat import FlatWeights

__all__ = ["Run", "together"]

FLOAT = np.dtype(np.float32)


class Run(NamedTuple):
    """Neighbours that take a step together: the parts of weights, gradients and each slot."""

    lr: float
    t: int
    weight_decay: float
    arrays: list[Array]


def together(
    optimizer: Optimizer,
    steps: list[ParameterStep],
    flat: FlatWeights,
    gradients: Array,
    gradient_views: list[Array],
) -> tuple[list[Run], list[ParameterStep]]:
    """Return the runs of parameters that lie in the flat arrays, and the steps of the others."""
    slots = _slots_of(optimizer, flat, steps)
    wholes = [flat.whole, gradients, *slots.arrays]
    if _everything(steps, flat, gradient_views, slots):
        return [Run(steps[0].lr, steps[0].t, steps[0].weight_decay, wholes)], []
    places = [flat.views, gradient_views, *slots.views.values()]
    runs: list[tuple[int, int, float, int, float]] = []  # the first, the last; rate, step, decay
    rest: list[ParameterStep] = []
    for step in steps:
        p, g, lr, t, memory, decay = step
        arrays, k = (p.data, g, *map(memory.get, slots.names)), flat.number.get(id(p))
        if k is None or not all(map(is_, arrays, map(itemgetter(k), places))):
            rest.append(step)
        elif runs and runs[-1][1:] == (k - 1, lr, t, decay):
            runs[-1] = (runs[-1][0], k, lr, t, decay)
        else:
            runs.append((k, k, lr, t, decay))
    found = []
    for first, last, lr, t, decay in runs:
        span = flat.layout.span(first, last)
        found.append(Run(lr, t, decay, [a[span] for a in wholes]))
    return found, rest


def _everything(
    steps: list[ParameterStep], flat: FlatWeights, gradient_views: list[Array], slots: _Slots
) -> bool:
    """Return whether all parameters lie in the flat arrays, with one rate and number of steps."""
    if len(steps) != len(flat.views):
        return False
    parameters, gradients, rates, counts, memories, decays = zip(*steps, strict=True)
    return (
        flat.hold(parameters)
        and all(map(is_, gradients, gradient_views))
        and len(set(rates)) == len(set(counts)) == len(set(decays)) == 1
        and slots.hold(memories)
    )


class _Slots:
    """What an optimizer keeps for the parameters of one layout: an array a slot, and its views."""

    def __init__(self, names: tuple[str, ...], flat: FlatWeights) -> None:
        self.names, self.layout = names, flat.layout
        self.arrays = [aligned_zeros(flat.layout.size) for _ in names]
        self.views = {
            name: flat.layout.views(a) for name, a in zip(names, self.arrays, strict=True)
        }
        self.given: set[int] = set()  # parameters whose memory has been moved here

    def hold(self, memories: Sequence[dict[str, Array]]) -> bool:
        """Return whether the memories, one of each parameter in order, are the views."""
        return all(
            all(map(is_, map(itemgetter(name), memories), views))
            for name, views in self.views.items()
        )

    def misses(self, flat: FlatWeights, steps: list[ParameterStep]) -> list[ParameterStep]:
        """Return the steps whose memory lies elsewhere."""
        number, views = flat.number, list(self.views.items())
        return [
            step
            for step in steps
            if (k := number.get(id(step.parameter))) is not None
            and any(step.memory[slot] is not a[k] for slot, a in views)
        ]

    def move(self, flat: FlatWeights, steps: list[ParameterStep]) -> None:
        """Replace the arrays of these steps' memory by views with the same numbers."""
        for step in steps:
            k, memory = flat.number[id(step.parameter)], step.memory
            arrays, shape = [memory[slot] for slot in self.names], self.layout.shapes[k]
            if all(a.dtype == FLOAT and a.shape == shape and a.flags.writeable for a in arrays):
                for slot, views in self.views.items():
                    views[k][...] = memory[slot]
                    memory[slot] = views[k]
                self.given.add(k)


_slots: weakref.WeakKeyDictionary[Optimizer, _Slots] = weakref.WeakKeyDictionary()


def _slots_of(optimizer: Optimizer, flat: FlatWeights, steps: list[ParameterStep]) -> _Slots:
    """Return the flat memory of an optimizer, into which that of the ``steps`` is moved."""
    slots, names = _slots.get(optimizer), tuple(optimizer.slots)
    if slots is not None and slots.names == names and slots.layout == flat.layout:
        every = len(steps) == len(flat.views)
        if every and slots.hold([step.memory for step in steps]):
            return slots
        missing = slots.misses(flat, steps)
        # Never into arrays that were given out before: who replaced them may have kept them.
        if slots.given.isdisjoint(flat.number[id(step.parameter)] for step in missing):
            slots.move(flat, missing)
            return slots
    slots = _Slots(names, flat)
    slots.move(flat, slots.misses(flat, steps))
    _slots[optimizer] = slots
    return slots
