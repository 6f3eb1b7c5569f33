"""From a model to a plan: a flat list of steps with their buffers allocated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import ShapeError
from ..nn import Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential
from ..tables import text_table
from ..typing import Array
from .conv_step import ConvStep
from .steps import LinearStep, MaxPoolStep, PlainStep, ReLUStep, Shape, Step, ViewStep

__all__ = ["Plan", "compile"]

LARGEST_POOL = 4  # cells a side; larger windows gain nothing from the fusion


class Plan:
    """What will run, in order; called like the model it was made from.

    Attributes
    ----------
    model : Layer
    batch_size : int
        The most images at a time.
    steps : list of Step
    """

    def __init__(self, model: Layer, input_shape: Shape, batch_size: int) -> None:
        self.model, self.input_shape, self.batch_size = model, tuple(input_shape), batch_size
        # The kernels compute in float32; a model of another type runs its own layers.
        self.single = all(p.data.dtype == np.float32 for p in model.parameters().values())
        make = _fast_steps if self.single else _plain_steps
        self.steps = list(make(list(_chain(model)), self.input_shape, batch_size))

    def __call__(self, x: Array) -> Array:
        """Return the scores for ``x`` (N, C, H, W), N up to the batch size, in a buffer.

        Raises
        ------
        ShapeError
            If the plan was made for other images.
        """
        if x.shape[1:] != self.input_shape or len(x) > self.batch_size:
            raise ShapeError(
                f"was made for at most {self.batch_size} images {self.input_shape}, received "
                f"{x.shape}. Compile another plan.",
                where="Plan",
            )
        # Numba would compile every kernel again for arrays that cannot be written to.
        x = np.require(x, np.float32 if self.single else None, ["C", "W"])
        for step in self.steps:
            x = step.forward(x)
        return x

    def backward(self, dy: Array, *, need_dx: bool = False) -> Array | None:
        """Leave every parameter's gradient in it; return the input's if asked for.

        The gradients may lie in buffers that the next backward overwrites.
        """
        back: Array | None = dy
        for k, step in reversed(list(enumerate(self.steps))):
            assert back is not None
            back = step.backward(back, need_dx=need_dx or k > 0)
        return back

    def __str__(self) -> str:
        rows = [
            (
                step.name,
                step.kernel,
                "x".join(map(str, step.output_shape)),
                f"{2 * step.multiply_adds * self.batch_size / 1e6:.1f}",
                f"{step.buffers() / 2**20:.1f}",
            )
            for step in self.steps
        ]
        header = ("step", "kernel", "output", "forward MFLOP", "buffers MiB")
        return text_table(header, rows, left=(0, 1, 2))


def compile(model: Layer, input_shape: Shape, batch_size: int) -> Plan:
    """Return a plan that runs ``model`` on up to ``batch_size`` images of ``input_shape``.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> plan = compile(SimpleConvNet(), (1, 28, 28), 100)
    >>> [step.kernel for step in plan.steps]
    ['convolution + relu + max 2x2', 'view', 'product + relu', 'product']
    """
    return Plan(model, input_shape, batch_size)


def _plain_steps(layers: list[tuple[str, Layer]], shape: Shape, batch: int) -> Iterator[Step]:
    """Yield a step for each layer that calls it."""
    for name, layer in layers:
        yield PlainStep(name, layer, shape)
        shape = layer.output_shape(shape)


def _fast_steps(layers: list[tuple[str, Layer]], shape: Shape, batch: int) -> Iterator[Step]:
    """Yield the steps: each takes as many layers of the chain as one kernel can."""
    while layers:
        name, layer = layers.pop(0)
        step = _fused(name, layer, layers, shape, batch) or _single(name, layer, shape, batch)
        yield step
        shape = step.output_shape


def _fused(
    name: str, layer: Layer, rest: list[tuple[str, Layer]], shape: Shape, batch: int
) -> Step | None:
    """Return a step for ``layer`` and the first ones of ``rest``, which it takes out; or None."""
    if type(layer) not in (Conv2d, Linear):
        return None
    output_shape = layer.output_shape(shape)
    relu = bool(rest) and type(rest[0][1]) is ReLU
    if relu:
        rest.pop(0)
    if isinstance(layer, Linear):
        return LinearStep(name, layer, batch, relu)
    assert isinstance(layer, Conv2d)
    pool = _pool_size(rest[0][1], output_shape) if rest else 1
    if pool > 1:
        rest.pop(0)
    return ConvStep(name, layer, shape, batch, relu, pool)


def _pool_size(layer: Layer, shape: Shape) -> int:
    """Return K if ``layer`` is a max pooling whose KxK windows neither overlap nor need padding."""
    if type(layer) is not MaxPool2d:
        return 1
    windows = layer.windows(shape)
    (k, _), plain = windows.window, windows.padding == ((0, 0), (0, 0))
    alike = windows.window == windows.stride == (k, k) and windows.dilation == (1, 1)
    return k if alike and plain and k <= LARGEST_POOL else 1


def _single(name: str, layer: Layer, shape: Shape, batch: int) -> Step:
    if type(layer) is MaxPool2d:
        return MaxPoolStep(name, layer, shape, batch)
    if type(layer) is Flatten:
        return ViewStep(name, layer.output_shape(shape))
    if type(layer) is ReLU:
        return ReLUStep(name, shape, batch)
    return PlainStep(name, layer, shape)


def _chain(model: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield the layers of nested chains in order, with their paths."""
    if not isinstance(model, Sequential):
        yield path, model
        return
    for name, layer in model.children():
        yield from _chain(layer, f"{path}.{name}" if path else name)
