"""The one place that decides which step serves which layer, and what becomes one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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


def assemble(model: Layer, shape: Shape, batch: int, *, fast: bool) -> list[Step]:
    """Return the steps that run ``model`` on images (C, H, W) = ``shape``, or on rows (F,).

    Without ``fast``, each layer is called as it is.
    """
    layers = list(_chain(model))
    if fast:
        return list(_fast_steps(layers, shape, batch))
    steps: list[Step] = []
    for name, layer in layers:
        steps.append(PlainStep(name, layer, shape, batch))
        shape = steps[-1].output_shape
    return steps


def _fast_steps(layers: list[tuple[str, Layer]], shape: Shape, batch: int) -> Iterator[Step]:
    last = False  # the images come as (N, C, H, W)
    step = Step("", shape)
    while layers:
        before, step = step, _next_step(layers, shape, batch)
        wanted = step.channels_last
        if len(shape) == 3 and wanted not in (None, last):
            last = not last
            if last or not before.turn():
                yield TurnStep(shape, batch, to_last=last)
        yield step
        shape = step.output_shape
        last = last and len(shape) == 3
    if last and not step.turn():
        yield TurnStep(shape, batch, to_last=False)


def _next_step(layers: list[tuple[str, Layer]], shape: Shape, batch: int) -> Step:
    """Return a step for the first of ``layers``, or the first ones, and take them out."""
    name, layer = layers.pop(0)
    kind = type(layer)
    if isinstance(layer, Softmax) and not SoftmaxStep.takes(layer, shape):
        return PlainStep(name, layer, shape, batch)
    if kind not in WITH_RELU:
        return STEPS.get(kind, PlainStep)(name, layer, shape, batch)
    together: dict[str, Any] = {}
    if layers and type(layers[0][1]) is ReLU:
        layers.pop(0)
        together["relu"] = True
    if isinstance(layer, Conv2d) and layers:
        together["pool"] = _pool_size(layers[0][1], layer.output_shape(shape))
        if together["pool"] > 1:
            layers.pop(0)
    make: Callable[..., Step] = STEPS[kind]
    return make(name, layer, shape, batch, **together)


def _pool_size(layer: Layer, shape: Shape) -> int:
    """Return K if ``layer`` is a max pooling whose KxK windows neither overlap nor need padding."""
    if type(layer) is not MaxPool2d:
        return 1
    windows = layer.windows(shape)
    (k, _), plain = windows.window, windows.padding == ((0, 0), (0, 0))
    alike = windows.window == windows.stride == (k, k) and windows.dilation == (1, 1)
    return k if alike and plain and k <= LARGEST_POOL else 1


def _chain(model: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield the layers of nested chains in order, with their paths."""
    if not isinstance(model, Sequential):
        yield path, model
        return
    for name, layer in model.children():
        yield from _chain(layer, f"{path}.{name}" if path else name)
