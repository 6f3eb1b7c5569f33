"""The one place that decides which step serves which layer, and what becomes one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..nn import (
    AvgPool2d,
    BatchNorm2d,
    Branches,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    Layer,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    LpPool2d,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    ZeroPadShortcut,
)
from .cpu.steps.base import PlainStep, Shape, Step, TurnStep, ViewStep
from .cpu.steps.conv import ConvStep
from .cpu.steps.join import AddStep, ShortcutStep, StackStep
from .cpu.steps.linear import LinearStep
from .cpu.steps.norm import BatchNormStep, LocalResponseNormStep
from .cpu.steps.pointwise import (
    DropoutStep,
    LeakyReLUStep,
    ReLUStep,
    SigmoidStep,
    SoftmaxStep,
    TanhStep,
)
from .cpu.steps.pool import (
    AvgPoolStep,
    GlobalAvgPoolStep,
    GlobalMaxPoolStep,
    LpPoolStep,
    MaxPoolStep,
)

__all__ = ["assemble"]

STEPS: dict[type[Layer], Callable[[str, Any, Shape, int], Step]] = {
    AvgPool2d: AvgPoolStep,
    BatchNorm2d: BatchNormStep,
    Conv2d: ConvStep,
    Dropout: DropoutStep,
    Flatten: ViewStep,
    GlobalAvgPool2d: GlobalAvgPoolStep,
    GlobalMaxPool2d: GlobalMaxPoolStep,
    LeakyReLU: LeakyReLUStep,
    Linear: LinearStep,
    LocalResponseNorm: LocalResponseNormStep,
    LpPool2d: LpPoolStep,
    MaxPool2d: MaxPoolStep,
    ReLU: ReLUStep,
    Sigmoid: SigmoidStep,
    Softmax: SoftmaxStep,
    Tanh: TanhStep,
    ZeroPadShortcut: ShortcutStep,
}
WITH_RELU = (BatchNorm2d, Conv2d, Linear)  # their steps take over a ReLU that follows
LARGEST_POOL = 4  # cells a side; larger windows gain nothing from going with a convolution


class _Value(NamedTuple):
    """What a step makes: its number in the plan, its shape, and how its images lie."""

    number: int
    shape: Shape
    last: bool  # (N, H, W, C); otherwise (N, C, H, W)


def assemble(model: Layer, shape: Shape, batch: int, *, fast: bool) -> list[Step]:
    """Return the steps that run ``model`` on images (C, H, W) = ``shape``, or on rows (F,).

    Without ``fast``, each layer is called as it is.
    """
    assembly = _Assembly(batch, fast=fast)
    made = assembly.chain([("", model)], _Value(0, tuple(shape), last=False))
    assembly.laid_out(made, last=False)
    return assembly.steps


class _Assembly:
    """The steps so far; each method adds some, and returns the value that the last one makes."""

    def __init__(self, batch: int, *, fast: bool) -> None:
        self.batch, self.fast = batch, fast
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
                step = _fast_step(name, layer, waiting, value.shape, self.batch)
                if len(value.shape) == 3 and step.channels_last is not None:
                    value = self.laid_out(value, last=step.channels_last)
                self._let_fold(step, value)
                value = self._add(step, value)
            else:
                step = PlainStep(name, layer, value.shape, self.batch, single=False)
                value = self._add(step, value)
        return value

    def _let_fold(self, step: Step, value: _Value) -> None:
        """Acquaint a batch norm with the convolution before it."""
        maker = self.steps[value.number - 1] if value.number else None
        if (
            isinstance(step, BatchNormStep)
            and isinstance(maker, ConvStep)
            and not maker.relu
            and maker.pool == 1
            and value.number not in self.shared
        ):
            step.source, maker.norm = maker, step

    def laid_out(self, value: _Value, *, last: bool) -> _Value:
        """Have images lie this way."""
        if len(value.shape) != 3 or value.last == last:
            return value
        alone = value.number > 0 and value.number not in self.shared
        if alone and not last and self.steps[value.number - 1].turn():
            return value._replace(last=False)
        return self._add(TurnStep(value.shape, self.batch, to_last=last), value)

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


def _fast_step(
    name: str, layer: Layer, behind: list[tuple[str, Layer]], shape: Shape, batch: int
) -> Step:
    """Return a step for a layer, and for those ``behind`` it that it takes over."""
    kind = type(layer)
    along_channels = isinstance(layer, Softmax | LocalResponseNorm)
    if along_channels and len(shape) not in (1, 3):  # which are not the last axis then
        return PlainStep(name, layer, shape, batch)
    if isinstance(layer, Softmax) and not SoftmaxStep.takes(layer, shape):
        return PlainStep(name, layer, shape, batch)
    if kind not in WITH_RELU:
        return STEPS.get(kind, PlainStep)(name, layer, shape, batch)
    together: dict[str, Any] = {}
    if _take_relu(behind):
        together["relu"] = True
    if isinstance(layer, Conv2d) and behind:
        together["pool"] = _pool_size(behind[0][1], layer.output_shape(shape))
        if together["pool"] > 1:
            behind.pop(0)
    make: Callable[..., Step] = STEPS[kind]
    return make(name, layer, shape, batch, **together)


def _take_relu(behind: list[tuple[str, Layer]]) -> bool:
    """Take a ReLU away from the layers ``behind``, if they begin with one."""
    found = bool(behind) and type(behind[0][1]) is ReLU
    if found:
        behind.pop(0)
    return found


def _pool_size(layer: Layer, shape: Shape) -> int:
    """Return K if ``layer`` is a max pooling whose KxK windows neither overlap nor need padding."""
    if type(layer) is not MaxPool2d:
        return 1
    windows = layer.windows(shape)
    (k, _), plain = windows.window, windows.padding == ((0, 0), (0, 0))
    alike = windows.window == windows.stride == (k, k) and windows.dilation == (1, 1)
    return k if alike and plain and k <= LARGEST_POOL else 1


def _plainly(layer: Layer, kind: type[Layer]) -> bool:
    """Return whether ``layer`` runs what is in it as ``kind`` does, and not in a way of its own."""
    return type(layer).forward is kind.forward


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
