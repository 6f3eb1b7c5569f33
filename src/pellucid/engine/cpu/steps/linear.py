"""The fully connected step, with the ReLU that follows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....distributed import Share
from ....kernels import matmul, single_row
from ....kernels.convolution.activation import NO_ACTIVATION, RELU
from ....kernels.convolution.layout import NO_BYTES, GatedGradient
from ....kernels.jit import LANES, REGISTERS
from ....kernels.pool.threads import run_python
from ....memory import aligned_zeros
from ....nn import Layer, Linear, ReLU
from ....typing import Array, Shape
from ...step import Step
from ..convolution.products import Product, ProductGradient, in_words, rounding_pays, rows
from ..launch import launch
from .base import flat, serves, weights

__all__ = ["LinearStep"]

# Rows of x and of w in a tile, whose sums and factors fit into the registers; a vector holds the
# sums of one row of x.
TILE = (3, 4) if REGISTERS < 32 else (6, 4) if LANES < 5 else (5, 5)
# Tiles on a side of a task, at least and at most: a square of tiles reuses what it reads the most.
# Within these bounds it is as large as `ENOUGH` tasks, for an even load of the threads, allow.
SIDES, ENOUGH = (5, 10), 16
HEIGHTS = (12, 10, 8, 4) if REGISTERS == 32 else (6, 5, 4)
PIECES = 16  # tasks for dw, and for dx, at most
LARGE = 2**20  # weights, which are in no cache: they are read and written in long runs
WORTH_ROUNDING = 2**17  # weights: with fewer, packing them takes longer than rounding saves
ROWS = 32  # of x: with fewer, transposing the weights takes longer than it saves


@serves(Linear)
class LinearStep(Step):
    """Fully connected, bias, and ReLU if one follows; each row along the last axis alone."""

    sums_by_share = True

    def __init__(
        self, name: str, layer: Linear, input_shape: Shape, batch: int,
        relu: bool = False,
    ) -> None:  # fmt: skip
        f, k = self._shape = layer.out_features, layer.in_features
        lead = self._lead = math.prod(input_shape[:-1])  # rows of an image
        super().__init__(name, (*input_shape[:-1], f), lead * k * f)
        self.channels_last = False if len(input_shape) == 3 else None  # rows along the last axis
        count = batch * lead
        self.layer, self.relu = layer, relu
        self._no_bias = aligned_zeros(f)
        self._y = self.output((max(count, TILE[0]), f))
        self._dx = self.input_gradient((count, k))
        self._db = aligned_zeros(f)  # without a bias
        self.reads_output = relu
        self._tile = 1 if count == 1 else TILE[0], min(TILE[1], f)
        self._few = aligned_zeros((TILE[0], k) if count > 1 else 0)
        self._whole = 0
        self._large: Any = None  # the passes back through many weights, from the first one on
        self.divide(self.share, batch)

    def divide(self, share: Share, batch_size: int) -> None:
        """Choose the tiles of the gradients by the whole batch."""
        super().divide(share, batch_size)
        if batch_size == self._whole:
            return
        self._whole = batch_size
        f, k = self._shape
        count, self._product, self._precision = batch_size * self._lead, None, "float32"
        if count >= ROWS and f * k >= WORTH_ROUNDING and rounding_pays(k, f):
            self._precision = self.precision
        self._blocked = f * k >= LARGE or self._precision != "float32"
        if count >= ROWS and self._blocked:
            self._product = self._pass(back=False)
        self.kernel = in_words("product", self._precision) + " + relu" * self.relu
        self._height = _height(batch_size * self._lead, f)
        self._gradients = matmul.gradients(self._height)

    def compute_in(self, precision: str) -> None:
        """Choose the passes anew, if the precision is another."""
        if precision != self.precision:
            self._whole, self._large = 0, None
        super().compute_in(precision)

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb a ReLU."""
        return {"relu": True} if type(follower) is ReLU and not absorbed else None

    def forward(self, x: Array) -> Array:
        """Return ``x·wᵀ + b``."""
        images, x = len(x), x.reshape(-1, self._shape[1])
        self._x, count = x, len(x)
        w, b = weights(self.layer.weight, self._shape, self.name), self.layer.bias
        shift = self._no_bias if b is None else weights(b, self._shape[:1], self.name)
        if self._product is not None:
            activation = RELU if self.relu else NO_ACTIVATION
            self._product.pack(w)
            run_python(np.copyto, self._product.bias, shift)
            self._product(GatedGradient.of(x), images, self._y[:], NO_BYTES, activation)
            return self._y[:count].reshape(images, *self.output_shape)
        height, width = self._tile
        if count == 1:
            height = 1
        elif count < height:  # padded: another kernel would not be worth compiling
            self._few[:count], x = x, self._few
        n = len(x)
        high, wide = -(-n // height), -(-len(w) // width)
        side = max(SIDES[0], min(SIDES[1], math.isqrt(high * wide // ENOUGH)))
        down, across = -(-high // side), -(-wide // side)
        launch(
            matmul.linear(height, width), down * across, n * w.size,
            flat(x), flat(w), shift, flat(self._y[:]), down, across, self.relu,
        )  # fmt: skip
        return self._y[:count].reshape(images, *self.output_shape)

    def repeats(self, images: int) -> bool:
        """Return whether the rows fill a tile, or are read as they are."""
        count = images * self._lead
        return self._product is not None or count == 1 or count >= self._tile[0]

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients ``dyᵀ·x`` and ``Σ dy``; return ``dy·w``."""
        shape = (*dy.shape[:-1], self._shape[1])
        dy = np.ascontiguousarray(dy, dtype=np.float32)
        n = dy.size // self._shape[0]
        weight, bias = self.layer.weight, self.layer.bias
        y, dx = flat(self._y[:]), flat(self._dx[:])
        w = weights(weight, self._shape, self.name)
        dw, db = w, self._db  # the kernel does not write to them unless the step learns
        if self.learns:
            dw = self.gradient(weight)
            db = self._db if bias is None else self.gradient(bias)
        pieces, products = min(PIECES, -(-w.shape[1] // matmul.PANEL)), self.learns + need_dx
        masked = matmul.MaskedGradient(flat(dy), y, self.relu)
        gradients = matmul.LinearGradients(flat(dw), db, dx)
        if n == 1 == self._whole * self._lead:
            launch(
                single_row.gradients, products * pieces, products * w.size, masked, flat(self._x),
                flat(w), gradients, pieces, self.learns,
            )  # fmt: skip
            return self._dx[:n].reshape(shape) if need_dx else None
        if self._blocked:
            accumulate, multiply = self._make_large()
            source = GatedGradient.of(dy, self._y[:n] if self.relu else None)
            images = n // self._lead
            if self.learns:
                accumulate(self._x, source, dw, db)
            if need_dx:
                multiply.pack(w)
                multiply(source, images, dx, NO_BYTES, NO_ACTIVATION)
            return self._dx[:n].reshape(shape) if need_dx else None
        bounds = self.share.bounds(self.share.chunks)
        bounds = bounds if self._lead == 1 else bounds * self._lead  # of rows
        few = self.share.images * self._lead <= self._height
        launch(
            self._gradients, products * pieces, products * n * w.size, masked, flat(self._x),
            flat(w), gradients, pieces, bounds, self.learns, few,
        )  # fmt: skip
        return self._dx[:n].reshape(shape) if need_dx else None

    def _pass(self, *, back: bool) -> Product:
        """Return a product of rows in blocks, or that of the gradient ``back``."""
        (f, k), where = self._shape, rows(self._lead)
        return Product(
            where, k, f, self._whole, back=back, on_the_way=True, precision=self._precision
        )

    def _make_large(self) -> tuple[ProductGradient, Product]:
        if self._large is None:
            (f, k), where = self._shape, rows(self._lead)
            self._large = (
                ProductGradient(where, k, f, self.share, self._precision),
                self._pass(back=True),
            )
        made: tuple[ProductGradient, Product] = self._large
        return made

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels for a full batch."""
        forward = (matmul.linear(*self._tile),) if self._product is None else self._product.uses
        if not training:
            return forward
        if self._whole * self._lead == 1:
            return *forward, single_row.gradients
        if not self._blocked:
            return *forward, self._gradients
        return *forward, *(kernel for one in self._make_large() for kernel in one.uses)


def _height(n: int, f: int) -> int:
    """Return the height of tiles that takes the least time for f rows of dw and n rows of dx.

    A step of a tile takes a cycle for each of its vectors, and at least the latency of eight cycles
    after which its sums can be added to again.
    """

    def cycles(height: int) -> int:
        step = max(matmul.PANEL // LANES * height, 8)
        return step * (-(-f // height) * n + -(-n // height) * f)

    return min(HEIGHTS, key=cycles)
