"""From a model to steps: which step runs which layers, and in which layout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..nn import Branches, Layer, ReLU, Residual, Sequential
from .backend import Backend
from .cpu.steps.join import AddStep, StackStep
from .step import Shape, Step

__all__ = ["assemble"]


class _Value(NamedTuple):
    """What a step makes: its number in the plan, its shape, and how its images lie."""

    number: int
    shape: Shape
    last: bool  # (N, H, W, C); otherwise (N, C, H, W)


def assemble(model: Layer, shape: Shape, batch: int, *, fast: bool, backend: Backend) -> list[Step]:
    """Return the steps that run ``model`` on images (C, H, W) = ``shape``, or on rows (F,).

    Without ``fast``, each layer is called as it is.
    """
    assembly = _Assembly(batch, backend, fast=fast)
    made = assembly.chain([("", model)], _Value(0, tuple(shape), last=False))
    assembly.laid_out(made, last=False)
    return assembly.steps


class _Assembly:
    """The steps so far; each method adds some, and returns the value that the last one makes."""

    def __init__(self, batch: int, backend: Backend, *, fast: bool) -> None:
        self.batch, self.backend, self.fast = batch, backend, fast
        self.steps: list[Step] = []
        self.shared: set[int] = set()  # values that several steps read

    def chain(self, layers: Iterable[tuple[str, Layer]], value: _Value) -> _Value:
        """Run layers, named by their paths, one after the other."""
        waiting = list(layers)
        while waiting:
            name, layer = waiting.pop(0)
            if _plainly(layer, Sequential):
                waiting[:0] = [(_join(name, inner), child) for inner, child in layer.children()]
            elif self.fast and isinstance(layer, Residual) and _plainly(layer, Residual):
                value = self._residual(name, layer, value, relu=_take_relu(waiting))
            elif self.fast and isinstance(layer, Branches) and _plainly(layer, Branches):
                value = self._branches(name, layer, value)
            elif self.fast:
                step = self._step(name, layer, waiting, value.shape)
                if len(value.shape) == 3 and step.channels_last is not None:
                    value = self.laid_out(value, last=step.channels_last)
                self._link(step, value)
                value = self._add(step, value)
            else:
                step = self.backend.plain(name, layer, value.shape, self.batch, single=False)
                value = self._add(step, value)
        return value

    def _step(
        self, name: str, layer: Layer, waiting: list[tuple[str, Layer]], shape: Shape
    ) -> Step:
        """Return a step for a layer, and for those of the ``waiting`` ones that it absorbs."""
        kind: Any = self.backend.steps.find(layer, shape)
        if kind is None:
            return self.backend.plain(name, layer, shape, self.batch)
        absorbed: dict[str, Any] = {}
        made = layer.output_shape(shape)
        while waiting:
            follower = waiting[0][1]
            more = kind.absorbs(layer, follower, made, absorbed)
            if more is None:
                break
            absorbed |= more
            made = follower.output_shape(made)
            waiting.pop(0)
        step: Step = kind(name, layer, shape, self.batch, **absorbed)
        return step

    def _link(self, step: Step, value: _Value) -> None:
        """Let a step link up with the one before it, if it is the only reader."""
        if value.number and value.number not in self.shared:
            step.link(self.steps[value.number - 1])

    def laid_out(self, value: _Value, *, last: bool) -> _Value:
        """Insert a layout conversion unless the value already has this layout."""
        if len(value.shape) != 3 or value.last == last:
            return value
        alone = value.number > 0 and value.number not in self.shared
        if alone and not last and self.steps[value.number - 1].emit_channels_first():
            return value._replace(last=False)
        return self._add(self.backend.layout(value.shape, self.batch, to_last=last), value)

    def _add(self, step: Step, *values: _Value) -> _Value:
        step.reads, step.makes = tuple(v.number for v in values), len(self.steps) + 1
        self.steps.append(step)
        images = len(step.output_shape) == 3
        last = values[0].last if step.channels_last is None else step.channels_last
        return _Value(step.makes, step.output_shape, images and last)

    def _to_share(self, value: _Value) -> _Value:
        """Lay images out as most steps want them, for several to read."""
        value = self.laid_out(value, last=True)
        self.shared.add(value.number)
        return value

    def _residual(self, name: str, block: Residual, value: _Value, *, relu: bool) -> _Value:
        around = value = self._to_share(value)
        if block.shortcut is not None:
            around = self.chain([(_join(name, block.shortcut.name), block.shortcut)], value)
        last = self.laid_out(self.chain([(name, block.chain)], value), last=True)
        step = AddStep(name, last.shape, self.batch, relu=relu)
        return self._add(step, last, self.laid_out(around, last=True))

    def _branches(self, name: str, block: Branches, value: _Value) -> _Value:
        value = self._to_share(value)
        ends = [self.chain([(_join(name, k), b)], value) for k, b in block.children()]
        ends = [self.laid_out(end, last=True) for end in ends]
        return self._add(StackStep(name, [end.shape for end in ends], self.batch), *ends)


def _take_relu(waiting: list[tuple[str, Layer]]) -> bool:
    """Take a ReLU away from the ``waiting`` layers, if they begin with one."""
    found = bool(waiting) and type(waiting[0][1]) is ReLU
    if found:
        waiting.pop(0)
    return found


def _plainly(layer: Layer, kind: type[Layer]) -> bool:
    """Return whether ``layer`` runs what is in it as ``kind`` does, and not in a way of its own."""
    return type(layer).forward is kind.forward


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
