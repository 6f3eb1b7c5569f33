"""Both passes over a plan's steps: with Python between all kernels, or from recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..nn import Layer, Parameter
from ..typing import Array
from .backend import Backend
from .facts import Facts, can_be_read_in_place, states
from .plan_memory import PlanMemory
from .replay import Moving, Replay
from .step import Step
from .units import Arrays, Backward, Forward, Unit

__all__ = ["Runs", "Way"]

MOST = 16  # numbers of images and modes for which passes are recorded at the same time


@dataclass(frozen=True)
class Way:
    """How a plan runs at this time: see the attributes of `pellucid.engine.Plan`.

    Attributes
    ----------
    replays : bool
    poison : bool
    after_step : callable or None
    """

    replays: bool
    poison: bool = False
    after_step: Callable[[Step], object] | None = None


@dataclass
class _Recorded:
    """The passes on a number of images in a mode, and what they rely on."""

    images: int
    forward: Replay
    now: Moving  # what may be another array at each call
    values: Arrays
    facts: Facts | None = None
    states: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    backward: dict[Hashable, Replay] = field(default_factory=dict)
    gradients: list[tuple[Parameter, Array | None]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the recordings are still right."""
        passes = (self.forward, *self.backward.values())
        return self.facts is not None and self.facts.hold and all(p.intact for p in passes)


class Runs:
    """Runs the steps of a plan, the first time with Python; then it records, and then repeats.

    Parameters
    ----------
    steps : sequence of Step
    memory : PlanMemory
    backend : Backend
    layers : sequence of Layer
        All of the model.
    parameters : sequence of Parameter
    single : bool
        Whether the plan computes in float32.
    """

    def __init__(
        self, steps: Sequence[Step], memory: PlanMemory, backend: Backend,
        layers: Sequence[Layer], parameters: Sequence[Parameter], *, single: bool,
    ) -> None:  # fmt: skip
        self._steps, self._memory, self._backend = steps, memory, backend
        self._layers, self._parameters, self.single = layers, parameters, single
        self._make: Callable[[], Any] | None = getattr(backend, "recording", None)
        self._recorded: dict[Hashable, _Recorded | None] = {}  # None: it has run once
        self._last: _Recorded | None = None  # of the last forward, if it was recorded
        self._state: _Recorded | None = None  # whose attributes the steps have
        self._values: Arrays = {}  # of the last forward, from which outputs are computed again
        self.trained: set[int] = set()
        self.find_trained()

    def find_trained(self) -> None:
        """Find the values that need a gradient: those that depend on a trainable parameter."""
        trained: set[int] = set()
        for step in self._steps:
            step.first = trained.isdisjoint(step.reads)
            if not step.first or step.learns:
                trained.add(step.makes)
        self.trained = trained

    def forget(self) -> None:
        """Drop all recordings, whose arrays or weights are others from now on."""
        self._recorded.clear()
        self._last = self._state = None

    def forward(self, x: Array, way: Way, *, frozen: bool, mode: Hashable) -> Arrays:
        """Return all values for the images ``x``, by their numbers.

        ``frozen``: whether the weights are. ``mode`` tells apart what else differs.
        """
        values = self._forward(x, way, frozen=frozen, mode=mode)
        needed = {k for one in self._memory.again for k in one.step.inputs}
        self._values.clear()
        self._values.update((k, values[k]) for k in needed)
        return values

    def _forward(self, x: Array, way: Way, *, frozen: bool, mode: Hashable) -> Arrays:
        self._last, key = None, (len(x), mode)
        if self._make is None or not way.replays or way.poison:
            self._recorded.pop(key, None)
            return self._by_python(x, way)
        found = self._recorded.get(key)
        if found is not None and found.holds:
            return self._repeated(found, x)
        if found is not None or key not in self._recorded:
            self._recorded.pop(key, None)
            if len(self._recorded) >= MOST:
                del self._recorded[next(iter(self._recorded))]
            self._recorded[key] = None
        elif frozen or can_be_read_in_place(self._parameters):
            self._recorded[key] = found = self._record(x, self._make, frozen=frozen)
            return found.values
        return self._by_python(x, way)

    def _by_python(self, x: Array, way: Way) -> Arrays:
        self._state = None
        values = {0: x}
        if way.poison:
            self._memory.poison(-1)
        for turn in self._memory.turns(len(x)):
            self._run(Forward(turn), values, way)
        return values

    def _run(self, unit: Unit, at: Arrays, way: Way) -> None:
        begin, seconds = time.perf_counter(), unit.step.seconds
        unit.run(at)
        before = 0.0 if unit.begins else seconds[unit.side]
        seconds[unit.side] = before + time.perf_counter() - begin
        if way.poison:
            self._memory.poison(unit.number)

    def _record(self, x: Array, make: Callable[[], Any], *, frozen: bool) -> _Recorded:
        self._state = None
        replay, values, now = Replay(make, self._memory.arena), {0: x}, {("value", 0): x}
        replay.record(map(Forward, self._memory.turns(len(x))), len(x), values, now)
        found = _Recorded(len(x), replay, now, values)
        alone = replay.steps(recorded=False)
        others = {id(layer) for step in alone for _, layer in step.layer.layers()}
        layers = [layer for layer in self._layers if id(layer) not in others]
        found.facts = Facts(layers, self._parameters, frozen=frozen)
        found.states = states(self._steps)
        self._last = self._state = found
        return found

    def _repeated(self, found: _Recorded, x: Array) -> Arrays:
        if self._state is not found:
            for own, before in found.states:
                own.update(before)
            self._state = found
        values, found.now["value", 0] = {0: x}, x
        found.forward(values, found.now)
        self._last = found if found.forward.intact else None
        found.values = values
        return values

    def backward(
        self, gradients: Arrays, way: Way, *, need_dx: bool, collect: Callable[..., None]
    ) -> Arrays:
        """Return the gradients that nobody has read, given those of the outputs.

        ``collect`` is called with a step's parameters before ``way.after_step``.
        """
        recorded, key = self._last, (need_dx, *gradients)
        may = way.replays and not way.poison and way.after_step is None
        if recorded is None or self._make is None or not may:
            self._backward(gradients, way, need_dx=need_dx, collect=collect)
            return gradients
        now = recorded.now
        now.update({("gradient", k): g for k, g in gradients.items()})
        replay = recorded.backward.get(key)
        if replay is None:
            replay = Replay(self._make, self._memory.arena)
            units = self._units(gradients, need_dx=need_dx)
            replay.record(units, recorded.images, gradients, now)
            recorded.backward[key] = replay
            own = [p for step in replay.steps(recorded=True) for p in step.parameters]
            recorded.gradients = [(p, p.grad) for p in own]
        else:
            for p, g in recorded.gradients:
                p.grad = g
            replay(gradients, now)
        return gradients

    def _units(self, gradients: Arrays, *, need_dx: bool) -> Iterator[Backward]:
        """Yield the steps whose output has a gradient by then, with what runs again before them."""
        due = list(self._memory.again)
        for k, step in enumerate(reversed(self._steps), len(self._steps)):
            if step.makes in gradients and (need_dx or step.makes in self.trained):
                again = [one for one in due if one.time <= k]
                del due[: len(again)]
                yield Backward(
                    step, k, self.sum, need_dx=need_dx or not step.first,
                    again=again, values=self._values,
                )  # fmt: skip

    def _backward(
        self, gradients: Arrays, way: Way, *, need_dx: bool, collect: Callable[..., None]
    ) -> None:
        for unit in self._units(gradients, need_dx=need_dx):
            self._run(unit, gradients, way)
            if way.after_step is not None:
                collect(unit.step.parameters)
                way.after_step(unit.step)

    def sum(self, value: int, a: Array, b: Array) -> Array:
        """Return the sum of two gradients of a value, in the plan's buffer, not a step's."""
        if not self.single:
            return a + b
        total = self._memory.sum_of(value, a)
        self._backend.add(a, b, total)
        return total
