"""The steps of a plan: each runs one layer, or a chain of them, into buffers of its own.

A step takes and gives C-contiguous arrays (N, ...), for any N up to the plan's batch size. What it
returns is its own buffer, overwritten by its next call. `backward` leaves the gradients in the
parameters, as a layer does.
"""

from __future__ import annotations

import numpy as np

from ..kernels import elementwise, matmul, pooling
from ..nn import Layer, Linear, MaxPool2d
from ..typing import Array

__all__ = [
    "LinearStep",
    "MaxPoolStep",
    "PlainStep",
    "ReLUStep",
    "RectifiedStep",
    "Step",
    "ViewStep",
]

Shape = tuple[int, ...]


class Step:
    """Base class: what it runs, and what it makes."""

    kernel: str

    def __init__(self, name: str, output_shape: Shape, multiply_adds: int = 0) -> None:
        self.name, self.output_shape, self.multiply_adds = name, output_shape, multiply_adds

    def forward(self, x: Array) -> Array:
        """Return the output for ``x``."""
        raise NotImplementedError

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient for the last input, or None where nobody needs it."""
        raise NotImplementedError

    def buffers(self) -> int:
        """Return the bytes of the step's buffers."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))


class PlainStep(Step):
    """Call the layer itself: what the engine does not know runs all the same."""

    kernel = "plain NumPy"

    def __init__(self, name: str, layer: Layer, input_shape: Shape) -> None:
        super().__init__(name, layer.output_shape(input_shape), layer.multiply_adds(input_shape))
        self.layer = layer

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        return np.ascontiguousarray(self.layer(x))

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the layer's gradient."""
        return np.ascontiguousarray(self.layer.backward(dy))


class ViewStep(Step):
    """Give the same numbers another shape: Flatten."""

    kernel = "view"

    def forward(self, x: Array) -> Array:
        """Return ``x`` in the output's shape."""
        self._shape = x.shape
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` in the input's shape."""
        return dy.reshape(self._shape)


class RectifiedStep(Step):
    """A step whose output may be rectified, and whose gradient then stops where it was."""

    def __init__(
        self, name: str, output_shape: Shape, multiply_adds: int, batch: int, rectify: bool
    ) -> None:
        super().__init__(name, output_shape, multiply_adds)
        self.rectify = rectify
        self._y = np.empty((batch, *output_shape), dtype=np.float32)
        self._dz = np.empty_like(self._y) if rectify else None

    def unrectified(self, dy: Array) -> Array:
        """Return the gradient before the ReLU."""
        if self._dz is None:
            return np.ascontiguousarray(dy, dtype=np.float32)
        n = len(dy)
        dz, y = self._dz[:n], self._y[:n]
        elementwise.relu_backward(_flat(np.ascontiguousarray(dy)), _flat(y), _flat(dz))
        return dz


class ReLUStep(RectifiedStep):
    """ReLU on its own."""

    kernel = "relu"

    def __init__(self, name: str, shape: Shape, batch: int) -> None:
        super().__init__(name, shape, 0, batch, True)

    def forward(self, x: Array) -> Array:
        """Return ``max(0, x)``."""
        return np.maximum(x, 0, out=self._y[: len(x)])

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` where the output was above zero."""
        return self.unrectified(dy)


class LinearStep(RectifiedStep):
    """Fully connected, bias, and ReLU if one follows."""

    def __init__(self, name: str, layer: Linear, batch: int, relu: bool) -> None:
        super().__init__(
            name, (layer.out_features,), layer.in_features * layer.out_features, batch, relu
        )
        self.kernel = "product" + " + relu" * relu
        self.layer = layer
        self._no_bias = np.zeros(layer.out_features, dtype=np.float32)
        self._dx = np.empty((batch, layer.in_features), dtype=np.float32)
        self._dw = np.empty((layer.out_features, layer.in_features), dtype=np.float32)

    def forward(self, x: Array) -> Array:
        """Return ``x·wᵀ + b``."""
        self._x, y = x, self._y[: len(x)]
        w, b = np.ascontiguousarray(self.layer.weight.data), self.layer.bias
        shift = self._no_bias if b is None else np.ascontiguousarray(b.data)
        matmul.rows_by_rows(x, w, shift, y, self.rectify)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Leave ``dyᵀ·x`` and ``Σ dy``; return ``dy·w``."""
        dz, w = self.unrectified(dy), self.layer.weight
        matmul.product(dz, self._x, self._dw)
        w.grad = self._dw
        if self.layer.bias is not None:
            self.layer.bias.grad = dz.sum(axis=0)
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        matmul.product(np.ascontiguousarray(dz.T), np.ascontiguousarray(w.data), dx)
        return dx


class MaxPoolStep(Step):
    """Max pooling."""

    kernel = "max pooling"

    def __init__(self, name: str, layer: MaxPool2d, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        windows = layer.windows(input_shape)
        (top, _), (left, _) = windows.padding
        self._sliding = (windows.window, windows.stride, (top, left), windows.dilation)
        self._y = np.empty((batch, *self.output_shape), dtype=np.float32)
        self._arg = np.empty(self._y.shape, dtype=np.int32)
        self._dx = np.empty((batch, *input_shape), dtype=np.float32)

    def forward(self, x: Array) -> Array:
        """Return the maxima."""
        y = self._y[: len(x)]
        pooling.max_forward(x, y, self._arg[: len(x)], *self._sliding)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` at the cells that won."""
        dx = self._dx[: len(dy)]
        dy = np.ascontiguousarray(dy, dtype=np.float32)
        pooling.max_backward(dy, self._arg[: len(dy)], dx, *self._sliding)
        return dx


def _flat(a: Array) -> Array:
    return a.reshape(a.size)
