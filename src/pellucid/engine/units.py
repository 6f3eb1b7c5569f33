"""A step's part of a pass: its forward, or its backward, over numbered arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from ..typing import Array
from .parts import Turn
from .recomputation import Again
from .step import Step

__all__ = ["Arrays", "Backward", "Forward", "Tag", "Unit"]

Arrays = dict[int, Array]  # the plan's values, or their gradients, by number
Tag = tuple[str, int]  # a value or a gradient, and its number


class Unit(Protocol):
    """What one step does in a pass, which reads and writes ``at``."""

    step: Step
    steps: tuple[Step, ...]  # it, and those that run again before it
    number: int  # the time, for `PlanMemory.poison`
    begins: bool  # whether it is the step's first one for these images
    side: int  # which of the step's seconds it takes
    kind: str  # of its results: values or gradients

    def run(self, at: Arrays) -> list[int]:
        """Do it; return the numbers of what it has written."""

    def reads(self) -> Iterator[Tag]:
        """Yield what it reads, and what the step may have kept of the other pass."""


class Forward:
    """The forward of a step, from values to a value, or that of a part of the images."""

    side, kind = 0, "value"

    def __init__(self, turn: Turn) -> None:
        self.step, self.number, self.begins, self._turn = (
            turn.step, turn.number, turn.begins, turn,
        )  # fmt: skip
        self.steps: tuple[Step, ...] = (turn.step,)

    def run(self, at: Arrays) -> list[int]:
        """Write the step's output."""
        at[self.step.makes] = self._turn.run(at)
        return [self.step.makes]

    def reads(self) -> Iterator[Tag]:
        """Yield the step's inputs."""
        for k in self.step.inputs:
            yield "value", k


class Backward:
    """The backward of a step, from the gradient of its output to those of its inputs.

    ``add`` returns the sum of two gradients of a value, given its number. Before, the outputs of
    the steps ``again`` are computed again from the plan's ``values``.
    """

    begins, side, kind = True, 1, "gradient"

    def __init__(
        self, step: Step, number: int, add: Callable[[int, Array, Array], Array], *, need_dx: bool,
        again: Sequence[Again] = (), values: Mapping[int, Array] | None = None,
    ) -> None:  # fmt: skip
        self.step, self.number, self._add, self._need_dx = step, number, add, need_dx
        self._again, self._values = again, {} if values is None else values
        self.steps: tuple[Step, ...] = (*(one.step for one in again), step)

    def run(self, at: Arrays) -> list[int]:
        """Add the gradients of the step's inputs, and drop that of its output."""
        step, written = self.step, []
        for one in self._again:
            one.run(self._values)
        dy, first = at.pop(step.makes), step.reads[0]
        if self._need_dx and first in at and step.adds_gradient:
            at[first] = step.backward_adding(dy, at[first])
            return [first]
        below = step.backward(dy, need_dx=self._need_dx)
        parts: Sequence[Array | None] = below if isinstance(below, tuple) else (below,)
        for k, dx in zip(step.reads, parts, strict=True):
            if dx is not None:
                at[k] = self._add(k, at[k], dx) if k in at else dx
                written.append(k)
        return written

    def reads(self) -> Iterator[Tag]:
        """Yield the gradients that it reads, the step's values, and what those are made of."""
        for one in self._again:
            for k in one.step.inputs:
                yield "value", k
        for k in (self.step.makes, *self.step.reads):
            yield "value", k
            yield "gradient", k
