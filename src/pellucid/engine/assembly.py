"""The one place that decides which step serves which layer, and what becomes one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..nn import (
    AvgPool2d,
    BatchNorm2d,
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
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from .conv_step import ConvStep
from .linear_step import LinearStep
from .norm_steps import BatchNormStep, LocalResponseNormStep
from .pointwise_steps import (
    DropoutStep,
    LeakyReLUStep,
    ReLUStep,
    SigmoidStep,
    SoftmaxStep,
    TanhStep,
)
from .pool_steps import (
    AvgPoolStep,
    GlobalAvgPoolStep,
    GlobalMaxPoolStep,
    LpPoolStep,
    MaxPoolStep,
)
from .steps import PlainStep, Shape, Step, TurnStep, ViewStep

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

    def chain(self, layers: Iterable[tuple[str, Layer]], value: _Value) -> _Value:
        """Run layers, named by their paths, one after the other."""
        waiting = list(layers)
        while waiting:
            name, layer = waiting.pop(0)
            if type(layer).forward is Sequential.forward:
                waiting[:0] = [(_join(name, inner), child) for inner, child in layer.children()]
            elif self.fast:
                step = _fast_step(name, layer, waiting, value.shape, self.batch)
                if len(value.shape) == 3 and step.channels_last is not None:
                    value = self.laid_out(value, last=step.channels_last)
                value = self._add(step, value)
            else:
                value = self._add(PlainStep(name, layer, value.shape, self.batch), value)
        return value

    def laid_out(self, value: _Value, *, last: bool) -> _Value:
        """Have images lie this way."""
        if len(value.shape) != 3 or value.last == last:
            return value
        if value.number and not last and self.steps[value.number - 1].turn():
            return value._replace(last=False)
        return self._add(TurnStep(value.shape, self.batch, to_last=last), value)

    def _add(self, step: Step, *values: _Value) -> _Value:
        step.reads, step.makes = tuple(v.number for v in values), len(self.steps) + 1
        self.steps.append(step)
        images = len(step.output_shape) == 3
        last = values[0].last if step.channels_last is None else step.channels_last
        return _Value(step.makes, step.output_shape, images and last)


def _fast_step(
    name: str, layer: Layer, behind: list[tuple[str, Layer]], shape: Shape, batch: int
) -> Step:
    """Return a step for a layer, and for those ``behind`` it that it takes over."""
    kind = type(layer)
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


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
