"""The convolution step, with the ReLU and the max pooling that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....kernels import matmul
from ....memory import aligned_zeros
from ....nn import Conv2d
from ....typing import Array
from ..convolution.algorithms import Source
from ..convolution.choice import filter_gradient, input_gradient, output
from ..launch import launch
from .base import Shape, Step, flat, weights

__all__ = ["ConvStep"]


class ConvStep(Step):
    """Convolution and bias; ReLU and max pooling without overlap if they follow."""

    channels_last = True

    def __init__(
        self, name: str, layer: Conv2d, input_shape: Shape, batch: int,
        relu: bool = False, pool: int = 1,
    ) -> None:  # fmt: skip
        fn, oh, ow = layer.output_shape(input_shape)
        super().__init__(name, (fn, oh // pool, ow // pool), layer.multiply_adds(input_shape))
        self.layer, self.relu, self.pool = layer, relu, pool
        c, h, w = input_shape
        self._shape = (fn, c // layer.groups, *layer.windows(input_shape).window)
        self._geometry = (layer.windows(input_shape), c, fn, layer.groups, pool, batch)
        self._output = output(*self._geometry)
        self.kernel = self._output.name + " + relu" * relu + f" + max {pool}x{pool}" * (pool > 1)
        shape = (batch, oh // pool, ow // pool, fn)
        self._y: Array = aligned_zeros(shape)
        self._won = aligned_zeros(shape if pool > 1 else (1,), np.uint8)
        self._packed: bool | None = None  # whether the filters are folded; None before they are
        self._kept = False
        self.norm: Any = None  # the step of a batch norm behind it, if nobody else reads the output
        # What only training needs comes with the first backward.
        self._filter_gradient: Any = None
        self._input_gradient: Any = None
        self._dw = self._db = self._dx = aligned_zeros(0)
        self._dx_shape = (batch, h, w, c)
        self._turned: tuple[int, ...] = ()
        self._dy = aligned_zeros(0)

    def forward(self, x: Array) -> Array:
        """Return the filters' answers."""
        self._x = x
        return self._convolve(
            keep=self.layer.training, fold=self.norm is not None and self.norm.folded
        )

    def again(self) -> Array:
        """Return the answers to the last images once more, without the batch norm."""
        return self._convolve(keep=True, fold=False)

    def _convolve(self, *, keep: bool, fold: bool) -> Array:
        """Return the output, the batch norm's if so; if wished, keep which cells won."""
        if not self.frozen or self._packed != fold:
            self._pack(fold)
        n, rectify = len(self._x), self.norm.relu if fold else self.relu
        self._output(Source(self._x), n, self._y[:n], self._won, rectify, keep)
        self._kept = keep
        return self._y[:n]

    def _pack(self, fold: bool) -> None:
        """Take over filters and bias; with ``fold``, those that make what the batch norm makes."""
        w, b = weights(self.layer.weight, self._shape, self.name), self.layer.bias
        shift = np.float32(0) if b is None else weights(b, self._shape[:1], self.name)
        if fold:
            w, shift = self.norm.folded_into(w, shift)
        self._output.pack(np.ascontiguousarray(w))
        self._output.bias[:] = np.broadcast_to(shift, len(w)).reshape(self.layer.groups, 1, -1)
        self._packed = fold

    def turn(self) -> bool:
        """Give images (N, C, H, W) from now on, if the step can."""
        gated = self.relu and self.pool == 1  # by the output, which would have to be turned back
        if self._output.can_turn and not gated:
            batch, oh, ow, fn = self._y.shape
            self._output.turned, self._turned = True, (fn, oh * ow)
            self._dy, self._y = self._y, aligned_zeros((batch, fn, oh, ow))
        return bool(self._turned)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Leave the gradients of filters and bias; return that of the input."""
        n, layer = len(dy), self.layer
        dy = np.ascontiguousarray(dy, dtype=np.float32)
        # Behind a pooling, the cell that won is also what tells where the ReLU let through.
        pooled = self.pool > 1
        if pooled and not self._kept:  # which inference has no use for
            self.again()
        if self._turned:
            launch(matmul.transpose, n, dy.size, flat(dy), flat(self._dy), *self._turned)
            dy = self._dy[:n]
        gate = self._y[:n] if self.relu and not pooled else None
        source = Source(dy, gate, self._won if pooled else None)
        if self.learns:
            self._make_filter_gradient()(self._x, source, self._dw, self._db)
            layer.weight.grad = self._dw
            if layer.bias is not None:
                layer.bias.grad = self._db
        if not need_dx:
            return None
        convolve = self._make_input_gradient()
        convolve.pack(weights(layer.weight, self._shape, self.name))
        convolve(source, n, self._dx[:n], self._won, False)
        return self._dx[:n]

    def _make_filter_gradient(self) -> Any:
        if self._filter_gradient is None:
            self._dw = aligned_zeros(self.layer.weight.data.shape)
            self._db = aligned_zeros(len(self._dw))
            self._filter_gradient = filter_gradient(*self._geometry)  # last: Ctrl-C may come
        return self._filter_gradient

    def _make_input_gradient(self) -> Any:
        if self._input_gradient is None:
            self._dx = aligned_zeros(self._dx_shape)
            self._input_gradient = input_gradient(*self._geometry)
        return self._input_gradient

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of all passes."""
        if not training:
            return self._output.uses
        back = [self._make_filter_gradient()] if self.learns else []
        if not self.first:
            back.append(self._make_input_gradient())
        turn = (matmul.transpose,) if self._turned else ()
        return [*self._output.uses, *turn, *(kernel for one in back for kernel in one.uses)]

    def buffers(self) -> int:
        """Return the bytes of the step's buffers, those of its passes among them."""
        passes = (self._output, self._filter_gradient, self._input_gradient)
        arrays = (a for one in passes if one is not None for a in vars(one).values())
        return super().buffers() + sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

    def freeze(self) -> None:
        """Pack the filters once more, and then rely on them."""
        super().freeze()
        self._packed = None
