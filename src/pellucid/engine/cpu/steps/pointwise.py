"""The elementwise steps, and softmax.

The layer's attributes are read at each call. ``y`` and ``dx`` have buffers of their own; x is kept
as a reference: no step overwrites it before the backward of this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ....image_random import ImageRandom
from ....kernels import elementwise, losses, philox
from ....kernels.blocks import BLOCK, blocks, each
from ....kernels.convolution.activation import SIGMOID, SILU, Activation
from ....kernels.pool.threads import run, run_python
from ....nn import Dropout, Layer, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from ....ops.dropout import require_probability
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import serves
from .conv import ConvStep
from .norm import BatchNormStep

__all__ = [
    "DropoutStep",
    "LeakyReLUStep",
    "ReLUStep",
    "SiLUStep",
    "SigmoidStep",
    "SoftmaxStep",
    "TanhStep",
]


class PointwiseStep(Step):
    """Base class: an output and a gradient of the input's shape, in any layout.

    After a convolution, or after its batch norm, inference with frozen weights skips the step: the
    convolution applies the activation before it writes its output, if it is `in_passing`.
    """

    by_image = cheap = True
    #: forward and backward
    kernels: ClassVar[tuple[Callable[..., Any], Callable[..., Any]]]
    #: the convolution that can do it in passing, and the batch norm between, if there is one
    source: ConvStep | None = None
    norm: BatchNormStep | None = None

    def __init__(self, name: str, layer: Layer, input_shape: Shape, batch: int) -> None:
        super().__init__(name, input_shape)
        self.kernel = type(layer).__name__.lower()
        self.layer: Any = layer
        self._y = self.output((batch, math.prod(input_shape)))
        self._dx = self.input_gradient(self._y.shape)

    def in_passing(self) -> Activation | None:
        """Return how a convolution applies the activation; None if it cannot."""
        return None

    def link(self, producer: Step) -> None:
        """Link an activation to the convolution before it, or to that of the batch norm before."""
        if self.in_passing() is None:
            return
        norm = (
            producer if isinstance(producer, BatchNormStep) and producer.follower is None else None
        )
        source = producer if norm is None else norm.source
        if isinstance(source, ConvStep) and source.activates:
            self.source, self.norm, source.activation = source, norm, self

    @property
    def folded(self) -> bool:
        """Whether the convolution applies the activation."""
        ready = self.norm is None or self.norm.folded
        ready &= self.frozen and not self.layer.training and not self.keeps
        return self.source is not None and ready

    @property
    def skipped(self) -> bool:
        """Whether forward returns its input, to which the activation is applied already."""
        return self.folded

    @property
    def reads_input(self) -> bool:  # type: ignore[override]
        """Whether the gradient is computed from the input, as far as the base class knows."""
        return type(self).remembered is not PointwiseStep.remembered

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        if self.folded:
            return x
        self._x, y = x, self._y[: len(x)].reshape(x.shape)
        each(self.kernels[0], x, y, *self.constants())
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the layer's gradient."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)].reshape(dy.shape)
        each(self.kernels[1], dy, self.remembered(), dx, *self.constants())
        return dx

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel, or has been folded."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return self.kernels if training else self.kernels[:1]

    def remembered(self) -> Array:
        """Return what the gradient is computed from: the last output."""
        return self._y[: len(self._x)]

    def constants(self) -> tuple[float, ...]:
        """Return the numbers that the kernels take after their arrays."""
        return ()


@serves(ReLU)
class ReLUStep(PointwiseStep):
    """``max(0, x)``."""

    kernels = (elementwise.relu, elementwise.relu_backward)


@serves(LeakyReLU)
class LeakyReLUStep(PointwiseStep):
    """``x`` above zero, ``negative_slope · x`` below."""

    reads_output = False
    kernels = (elementwise.leaky_relu, elementwise.leaky_relu_backward)

    def remembered(self) -> Array:
        """Return the last input: with a negative slope, the sign of y does not give that of x."""
        return self._x

    def constants(self) -> tuple[float, ...]:
        """Return the slope."""
        return (float(self.layer.negative_slope),)


@serves(Sigmoid)
class SigmoidStep(PointwiseStep):
    """``1 / (1 + e^-x)``."""

    kernels = (elementwise.sigmoid, elementwise.sigmoid_backward)

    def in_passing(self) -> Activation | None:
        """Return the function."""
        return Activation(SIGMOID)


@serves(Tanh)
class TanhStep(PointwiseStep):
    """The hyperbolic tangent."""

    kernels = (elementwise.tanh, elementwise.tanh_backward)


@serves(SiLU)
class SiLUStep(PointwiseStep):
    """``x / (1 + e^-x)``."""

    reads_output = False
    kernels = (elementwise.silu, elementwise.silu_backward)

    def in_passing(self) -> Activation | None:
        """Return the function."""
        return Activation(SILU)

    def remembered(self) -> Array:
        """Return the last input: below zero, two inputs have the same output."""
        return self._x


@serves(Softmax)
class SoftmaxStep(PointwiseStep):
    """Softmax over the last axis: features or, in each cell of an image, channels."""

    channels_last = True
    kernels = (losses.softmax, losses.softmax_backward)

    @classmethod
    def takes(cls, layer: Softmax, input_shape: Shape) -> bool:
        """Return whether the axis of ``layer`` is the last one in the layout of the step."""
        return len(input_shape) in (1, 3) and layer.dim in (1, -len(input_shape))

    def forward(self, x: Array) -> Array:
        """Return the probabilities."""
        self._x, y = x, self._y[: len(x)].reshape(x.shape)
        rows, tasks = (-1, x.shape[-1]), blocks(x.size)
        run(losses.softmax, tasks, x.reshape(rows), y.reshape(rows), tasks)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient of the scores."""
        if not need_dx:
            return None
        dx, y = self._dx[: len(dy)].reshape(dy.shape), self.remembered()
        rows, tasks = (-1, dy.shape[-1]), blocks(dy.size)
        arrays = (dy.reshape(rows), y.reshape(rows), dx.reshape(rows))
        run(losses.softmax_backward, tasks, *arrays, tasks)
        return dx


@serves(Dropout)
class DropoutStep(PointwiseStep):
    """Dropout, of the same cells of an image as by the plain layer."""

    channels_last = True
    reads_output = cheap = False
    returns_input = True  # in inference

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels for training; inference needs none."""
        by_image = isinstance(self.layer.rng, ImageRandom)
        mask = philox.dropout_mask if by_image else elementwise.dropout_mask
        return (elementwise.multiply, mask) if training else ()

    def __init__(self, name: str, layer: Dropout, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer, input_shape, batch)
        channels, cells = input_shape[0], math.prod(input_shape[1:])
        if channels == 1 or cells == 1:  # then both layouts are the same
            channels, cells = channels * cells, 1
        together = max(1, BLOCK // (channels * cells))  # images that fit into the cache
        self._drawn = np.empty((min(together, batch), channels, cells))
        self._mask = self.kept((batch, cells, channels))

    def forward(self, x: Array) -> Array:
        """Return ``x`` times a new mask while training; otherwise ``x``, scaled if necessary."""
        layer, n, y = self.layer, len(x), self._y[: len(x)].reshape(x.shape)
        inverted, p = layer.variant == "inverted", float(layer.p)
        require_probability(p)
        self._factor: float | None = None
        if layer.training:
            self._draw(self._mask[:n], p, 1 / (1 - p) if inverted else 1.0)
            each(elementwise.multiply, x, self._mask[:n], y)
            return y
        self._factor = 1.0 if inverted else 1 - p
        return x if inverted else np.multiply(x, np.float32(self._factor), out=y)

    def repeats(self, images: int) -> bool:
        """Return whether it returns its input."""
        return not self.layer.training and self.layer.variant == "inverted"

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` times the same mask."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)].reshape(dy.shape)
        if self._factor is not None:
            run_python(np.multiply, dy, np.float32(self._factor), dx)
            return dx
        each(elementwise.multiply, dy, self._mask[: len(dy)], dx)
        return dx

    def _draw(self, mask: Array, p: float, scale: float) -> None:
        """Write the mask that the plain layer draws."""
        rng = self.layer.rng
        if isinstance(rng, ImageRandom) and len(rng.images) == len(mask):
            count = math.prod(mask.shape[1:])
            launch(
                philox.dropout_mask, len(mask), mask.size, rng.images, np.array(rng.key), rng.epoch,
                rng.counters(count), mask, math.ceil(p * 2**32), scale,
            )  # fmt: skip
            return
        if isinstance(rng, ImageRandom):  # images other than the Trainer's last batch
            drawn = rng.random((len(mask), *self._drawn.shape[1:]))
            run(elementwise.dropout_mask, 1, drawn, mask, p, scale)
            return
        # A few images at a time, which gives the same numbers as all at once.
        together = len(self._drawn)
        for n in range(0, len(mask), together):
            drawn = self._drawn[: len(mask) - n]
            rng.random(out=drawn)
            run(elementwise.dropout_mask, 1, drawn, mask[n : n + together], p, scale)
