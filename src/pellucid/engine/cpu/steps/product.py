"""The product of two values: of one shape, or images and a gate for each of their channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....kernels import elementwise
from ....kernels.blocks import each
from ....kernels.gate import gate, gate_backward, pixels_of_a_task
from ....kernels.pool.threads import run_python
from ....nn import Multiply
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import serves

__all__ = ["MultiplyStep"]


@serves(Multiply)
class MultiplyStep(Step):
    """``y = a · b``, where one of them may be a gate (C, 1, 1) of the other, images (C, H, W)."""

    cheap, reads_output = True, False

    def __init__(
        self, name: str, layer: Multiply, input_shapes: Sequence[Shape], batch: int
    ) -> None:
        a, b = input_shapes
        super().__init__(name, layer.output_shape(a, b))
        self._gated = a != b
        self._gate_first = math.prod(a) < math.prod(b)
        self.kernel = "gate" if self._gated else "product of two"
        if self._gated:
            self.channels_last = True
            channels, pixels = self.output_shape[0], math.prod(self.output_shape[1:])
            self._per = pixels_of_a_task(channels)
            self._tasks_an_image = -(-pixels // self._per)
            self._sums = self.scratch((batch, self._tasks_an_image, channels))
            self._dg = self.input_gradient((batch, channels))
        size = math.prod(self.output_shape)
        self._y = self.output((batch, size))
        self._da = self.input_gradient((batch, size))
        self._db = self.input_gradient((0 if self._gated else batch, size))

    @classmethod
    def takes(cls, layer: Multiply, input_shape: Any) -> bool:
        """Return whether the shapes are equal, or one is a gate for the channels of the other."""
        a, b = input_shape
        gate, image = (a, b) if math.prod(a) < math.prod(b) else (b, a)
        return a == b or (len(image) == len(gate) == 3 and gate == (image[0], 1, 1))

    def forward(self, a: Array, b: Array) -> Array:
        """Return the product."""
        self._a, self._b = a, b
        if not self._gated:
            y = self._y[: len(a)].reshape(a.shape)
            each(elementwise.multiply, a, b, y)
            return y
        x, g = self._image_and_gate()
        y = self._y[: len(x)].reshape(x.shape)
        launch(gate, self._tasks(x), x.size, x, g, y, self._per)
        return y.reshape((b if self._gate_first else a).shape)

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> tuple[Array | None, ...]:
        """Return the gradients of both factors."""
        if not need_dx:
            return None, None
        da = self._da[: len(dy)].reshape(dy.shape)
        if not self._gated:
            db = self._db[: len(dy)].reshape(dy.shape)
            each(elementwise.multiply, dy, self._b, da)
            each(elementwise.multiply, dy, self._a, db)
            return da, db
        x, g = self._image_and_gate()
        sums, dg = self._sums[: len(x)], self._dg[: len(x)]
        launch(
            gate_backward, self._tasks(x), 2 * x.size, dy.reshape(x.shape), x, g,
            da.reshape(x.shape), sums, self._per,
        )  # fmt: skip
        run_python(_add_up, sums, dg)
        dg = dg.reshape(len(x), 1, 1, -1)
        return (dg, da) if self._gate_first else (da, dg)

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        if not self._gated:
            return (elementwise.multiply,)
        return (gate, gate_backward) if training else (gate,)

    def _image_and_gate(self) -> tuple[Array, Array]:
        """Return the images (N, P, C) and the gates (N, C) of the last forward."""
        x, g = (self._b, self._a) if self._gate_first else (self._a, self._b)
        return x.reshape(len(x), -1, x.shape[-1]), g.reshape(len(g), -1)

    def _tasks(self, x: Array) -> int:
        return len(x) * self._tasks_an_image


def _add_up(sums: Array, dg: Array) -> None:
    dg[:] = sums.sum(axis=1, dtype="float64")
