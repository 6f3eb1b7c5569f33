"""The steps that join what several others made, and the shortcut that needs no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....kernels import elementwise, normalized_sums, rearrangement
from ....kernels.blocks import BLOCK, each
from ....kernels.concatenation import MOST, copy_parts
from ....kernels.pool.threads import run_python
from ....nn import Add, Concat, Layer, ReLU, ZeroPadShortcut
from ....nn.branching import JoinedBranches, ResidualSum
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import flat, serves
from .conv import ConvStep
from .norm import BatchNormStep
from .quantized import QuantizedConvStep

__all__ = ["AddStep", "ConcatStep", "ShortcutStep"]

NUMBERS = 2**15  # that a task copies: some 5 µs


@serves(Add, ResidualSum)
class AddStep(Step):
    """``y = a + b + ...``, and the ReLU that follows: the end of a residual block.

    A batch norm whose output only this step reads is applied in the same pass; backward masks the
    gradient and sums what that of the norm needs in one pass, too.

    Inference with frozen weights skips a sum of two after a convolution, or after its batch norm,
    that runs when the other summand is there: the convolution adds that before it writes.
    """

    by_image, cheap, reads_input = True, True, False
    #: the convolution that may add in passing, and the value that it, or its batch norm, makes
    source: ConvStep | QuantizedConvStep | None = None
    _made = 0

    def __init__(
        self, name: str, layer: Add, input_shapes: Sequence[Shape], batch: int, relu: bool = False
    ) -> None:
        super().__init__(name, input_shapes[0])
        self.kernel, self.relu = "sum" + " + relu" * relu, relu
        self.reads_output = relu
        size = int(np.prod(self.output_shape))
        self._y = self.output((batch, size))
        self._dz = self.input_gradient((batch if relu else 0, size))
        self._inputs = len(input_shapes)
        self._norms: list[BatchNormStep] = []  # that leave it to the sum to normalise

    def link(self, producer: Step) -> None:
        """Take over the work of a batch norm, or leave that of the sum to a convolution."""
        if self._inputs != 2:
            return
        source = producer
        if isinstance(producer, BatchNormStep) and producer.defer():
            self._norms.append(producer)
            source = producer.source or producer
        if (
            isinstance(source, ConvStep | QuantizedConvStep)
            and source.adds
            and producer.makes > self._made
        ):
            if self.source is not None:
                self.source.sum = None
            self.source, self._made, source.sum = source, producer.makes, self

    @property
    def _at_work(self) -> list[BatchNormStep]:
        """The norms that have not been folded into a convolution."""
        return [norm for norm in self._norms if not norm.folded]

    @classmethod
    def takes(cls, layer: Add, input_shape: Any) -> bool:
        """Return whether nothing is broadcast."""
        return len(set(input_shape)) == 1

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb a ReLU."""
        return {"relu": True} if type(follower) is ReLU and not absorbed else None

    @property
    def folded(self) -> bool:
        """Whether the convolution adds the other summand, which is there before it runs."""
        ready = self.frozen and not self.keeps and not self._at_work
        return self.source is not None and ready and self.other < self.source.makes

    @property
    def other(self) -> int:
        """The value that the convolution does not make."""
        return sum(self.reads) - self._made

    @property
    def skipped(self) -> bool:
        """Whether forward returns its input, to which the other is added already."""
        return self.folded

    @property
    def inputs(self) -> tuple[int, ...]:
        """The summands; if the step is folded, the one that is the sum already."""
        return (self._made,) if self.folded else self.reads

    def forward(self, *x: Array) -> Array:
        """Return the sum of all inputs, in their order."""
        if self.folded:
            return x[0]
        a, b, *more = x
        y = self._y[: len(a)].reshape(a.shape)
        if norms := self._at_work:
            if self.reads[0] != norms[0].makes:
                a, b = b, a
            other = norms[1] if len(norms) > 1 else None
            norms[0].add(a, b, y, other=other, relu=self.relu)
            return y
        each(elementwise.add, a, b, y, self.relu and not more)
        for k, c in enumerate(more, 1):
            each(elementwise.add, y, c, y, self.relu and k == len(more))
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> tuple[Array | None, ...]:
        """Return ``dy`` for every input, masked by the ReLU."""
        if not need_dx:
            return (None,) * self._inputs
        if self.relu:
            y, dz = (a[: len(dy)].reshape(dy.shape) for a in (self._y, self._dz))
            if norms := [norm for norm in self._at_work if norm.sums]:
                norms[0].sum_behind_relu(dy, y, dz)
            else:
                each(elementwise.relu_backward, dy, y, dz)
            dy = dz
        return (dy,) * self._inputs

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        norms, back = bool(self._norms), self.relu and training
        fused = (normalized_sums.add_normalized, *[normalized_sums.gradient_sums] * back)
        return (elementwise.add, *[elementwise.relu_backward] * back, *fused * norms)


@serves(Concat, JoinedBranches)
class ConcatStep(Step):
    """The channels of several images, or several rows, one after the other: the end of branches."""

    channels_last = by_image = cheap = True
    reads_input = reads_output = False
    kernel = "concat"

    def __init__(self, name: str, layer: Concat, input_shapes: Sequence[Shape], batch: int) -> None:
        depths, (_, *image) = [shape[0] for shape in input_shapes], input_shapes[0]
        super().__init__(name, (sum(depths), *image))
        self._places = np.cumsum([0, *depths])
        self._y = self.output((batch, *image, sum(depths)))
        self._dx = [self.input_gradient((batch, *image, depth)) for depth in depths]

    @classmethod
    def takes(cls, layer: Concat, input_shape: Any) -> bool:
        """Return whether the channels are the last axis, in the layout of the step."""
        return len(input_shape[0]) in (1, 3) and layer.axis(input_shape[0]) == 0

    def forward(self, *x: Array) -> Array:
        """Return the concatenated inputs."""
        y = self._y[: len(x[0])]
        self._copy(x, y, join=True)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> tuple[Array | None, ...]:
        """Return each input's part of ``dy``."""
        if not need_dx:
            return (None,) * len(self._dx)
        parts = tuple(dx[: len(dy)] for dx in self._dx)
        self._copy(parts, dy, join=False)
        return parts

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def _copy(self, parts: tuple[Array, ...], whole: Array, *, join: bool) -> None:
        """Copy the parts into the whole, or back."""
        width = whole.shape[-1]
        pixels, per = whole.size // width, max(1, NUMBERS // width)
        for k in range(0, len(parts), MOST):
            some = tuple(flat(part) for part in parts[k : k + MOST])
            places = self._places[k : k + MOST + 1]
            work = pixels * int(places[-1] - places[0])
            launch(copy_parts, -(-pixels // per), work, some, places, flat(whole), width, join, per)

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernel of both directions."""
        return (copy_parts,)


@serves(ZeroPadShortcut)
class ShortcutStep(Step):
    """Every S-th row and column, and channels of zeros; back, NumPy moves the few numbers."""

    kernel = "shortcut"
    channels_last = cheap = True
    reads_input = reads_output = False

    def __init__(self, name: str, layer: ZeroPadShortcut, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self._steps = layer.stride
        self._kept = (slice(None), *(slice(None, None, step) for step in layer.stride))
        (c, *image), (filters, *smaller) = input_shape, self.output_shape
        self._y = self.output((batch, *smaller, filters))
        self._dx = self.input_gradient((batch, *image, c))

    def forward(self, x: Array) -> Array:
        """Return what is kept of ``x``, and zeros."""
        y = self._y[: len(x)]
        rows, per = len(y) * y.shape[1], max(1, BLOCK // y[0, 0].size)
        launch(rearrangement.subsample, -(-rows // per), y.size, x, y, *self._steps, per)
        return y

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernel of the forward."""
        return (rearrangement.subsample,)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return each ``dy`` where its number came from."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        run_python(self._move_back, dy, dx)
        return dx

    def _move_back(self, dy: Array, dx: Array) -> None:
        dx[...] = 0
        dx[self._kept] = dy[..., : dx.shape[-1]]
