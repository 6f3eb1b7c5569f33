"""Outputs that a plan forgets after the last forward that reads them, and computes again.

A training plan keeps every output that a backward reads. Those of steps without products
(`Step.cheap`), such as an activation or a batch norm, take one pass over memory to compute again
from what is kept anyway. Such a buffer is in use twice, at the same place, and has other buffers
over it in between:

    step       0  1  2  3  |  3  2  1  0
    time       0  1  2  3  |  4  5  6  7
    y of 0     -------------------          a convolution's, which the backward of 1, a norm, reads
    y of 1        ----          -           again at time 5, when the backward of 2 reads it

Chen et al. 2016, "Training deep nets with sublinear memory cost", section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..typing import Array
from .lives import Life, output_spans, passes_on, readings
from .reserved import Reserved, Use
from .step import Step

__all__ = ["Again", "Recomputation"]


class Again(NamedTuple):
    """A step whose output is computed again, before the backward at a time."""

    step: Step
    time: int
    nbytes: int

    def run(self, values: Mapping[int, Array]) -> None:
        """Write the output to where it was, given the plan's ``values``."""
        self.step.again(*(values[k] for k in self.step.inputs))


class Recomputation:
    """Which outputs of a training plan to forget.

    Parameters
    ----------
    steps : sequence of Step
    reserved : sequence of sequence of Reserved
        What each step has reserved.
    outputs : sequence of int
        The numbers of the plan's outputs.
    lives : dict of Reserved to Life
        Of all buffers, if nothing is forgotten.
    repeatable : bool
    """

    def __init__(
        self,
        steps: Sequence[Step],
        reserved: Sequence[Sequence[Reserved]],
        outputs: Sequence[int],
        lives: Mapping[Reserved, Life],
        *,
        repeatable: bool,
    ) -> None:
        self._steps, self._reserved, self._outputs = steps, reserved, outputs
        self._middle, self._repeatable = len(steps), repeatable
        near = {one: life for one, life in lives.items() if not life.apart}
        self._sizes = [
            sum(one.nbytes for one in of_step if one in near and one.use is Use.OUTPUT)
            for of_step in reserved
        ]
        others = {one: life for one, life in near.items() if one.use is not Use.OUTPUT}
        spans = [(*span, one.nbytes) for one, life in others.items() for span in life.spans]
        self._others = _changes(spans, 2 * self._middle)

    def chosen(self) -> frozenset[int]:
        """Return the steps whose outputs to forget so that the fullest time needs least.

        The largest come first; each is forgotten if less is in use without it when most is. Then
        another time may be the fullest.
        """
        chosen: frozenset[int] = frozenset()
        use = self._in_use(chosen)
        for s in sorted(self.possible(), key=lambda s: (-self._sizes[s], -s)):
            without = self._in_use(chosen | {s})
            if without[use.argmax()] < use.max() and without.max() <= use.max():
                chosen, use = chosen | {s}, without
        return chosen

    def possible(self) -> list[int]:
        """Return the steps whose output a backward reads, and that could run again by then.

        Not those that read the images, which the caller may have changed.
        """
        read, images, found = self._readings(()), {0}, []
        for s, step in enumerate(self._steps):
            of_images = not images.isdisjoint(step.inputs)
            last = max(read[step.makes], default=0)
            if passes_on(step, self._reserved[s]):
                images |= {step.makes} if of_images else set()
            elif step.cheap and not of_images and self._middle <= last < 2 * self._middle:
                found.append(s)
        return found

    def times(self, chosen: Collection[int]) -> list[Again]:
        """Return when the ``chosen`` steps run again, in order."""
        read, found = self._readings(chosen), []
        for s in sorted(chosen):
            time = min(t for t in read[self._steps[s].makes] if t >= self._middle)
            found.append(Again(self._steps[s], time, self._sizes[s]))
        return sorted(found, key=lambda one: one.time)

    def _readings(self, again: Collection[int]) -> list[set[int]]:
        return readings(self._steps, self._reserved, self._outputs, training=True, again=again)

    def _in_use(self, again: Collection[int]) -> Array:
        """Return how many bytes that steps share are in use at each time."""
        read, spans = self._readings(again), []
        for s, size in enumerate(self._sizes):
            times = read[self._steps[s].makes]
            own = output_spans(s, times, self._middle, s in again, self._repeatable)
            spans += [(*span, size) for span in own if size]
        return np.cumsum(self._others + _changes(spans, 2 * self._middle))


def _changes(spans: Collection[tuple[int, int, int]], last: int) -> Array:
    """Return by how many bytes the use grows at each time, given (begin, end, bytes)."""
    begins, ends, sizes = np.array([*spans, (0, 0, 0)], np.int64).T
    grows = np.zeros(last + 2, np.int64)
    np.add.at(grows, begins, sizes)
    np.add.at(grows, ends + 1, -sizes)
    return grows
