"""The fully connected step, with the ReLU that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels import elementwise, matmul
from ..kernels.blocks import each
from ..kernels.conv import tile_shape
from ..kernels.jit import LANES, REGISTERS
from ..nn import Linear
from ..typing import Array
from .launch import launch
from .steps import Shape, Step, flat

__all__ = ["LinearStep"]

FEW = 4  # rows: turning the weights for fewer costs more than it brings
HEIGHTS = (12, 10, 8, 4, 1) if REGISTERS == 32 else (6, 5, 4, 1)
WIDE = (6, 4) if REGISTERS == 32 else (4, 2)  # the fewest passes over x
ENOUGH = 8  # tasks
BLOCK = 512  # terms of a sum at least, for each of the tasks that share it


class LinearStep(Step):
    """Fully connected, bias, and ReLU if one follows."""

    def __init__(
        self, name: str, layer: Linear, input_shape: Shape, batch: int, relu: bool = False
    ) -> None:
        k, f = layer.in_features, layer.out_features
        super().__init__(name, (f,), k * f)
        self.kernel = "product" + " + relu" * relu
        self.layer, self.relu = layer, relu
        self._no_bias = np.zeros(f, dtype=np.float32)
        self._y, self._dz = (np.empty((batch, f), dtype=np.float32) for _ in range(2))
        self._dx = np.empty((batch, k), dtype=np.float32)
        self._dw = np.empty((f, k), dtype=np.float32)
        tile = WIDE if f > WIDE[1] * LANES // 2 and batch >= WIDE[0] else tile_shape(batch, f)
        self._height, panel = tile[0], tile[1] * LANES
        self._blocks = max(1, min(16, k // BLOCK))
        self._panels = -(-f // panel)
        self._parts = np.empty((self._blocks, batch, self._panels * panel), dtype=np.float32)
        self._by_columns = matmul.by_columns(*tile)
        # Their columns are numbers of x, of which there are many: two vectors keep them near.
        self._for_dw = matmul.product(*_tile(f))

    def forward(self, x: Array) -> Array:
        """Return ``x·wᵀ + b``."""
        self._x, y, n = x, self._y[: len(x)], len(x)
        w, b = np.ascontiguousarray(self.layer.weight.data), self.layer.bias
        shift = self._no_bias if b is None else np.ascontiguousarray(b.data)
        work = n * self.multiply_adds
        if n < max(FEW, self._height):
            tasks = 1 + self.multiply_adds // 2**18
            launch(matmul.by_dots, tasks, work, flat(x), flat(w), shift, flat(y), tasks, self.relu)
            return y
        size = self._parts.size // len(self._y) * n
        parts, f = flat(self._parts)[:size].reshape(self._blocks, n, -1), len(w)
        # Who has a block of x near takes all panels of it, if there are blocks enough for everyone.
        blocks = self._blocks
        groups = 1 if blocks >= ENOUGH else self._panels
        launch(
            self._by_columns, blocks * groups, work, flat(x), flat(w), parts, n, f, blocks, groups
        )
        launch(matmul.add_parts, n, parts.size, parts, shift, y, self.relu)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Leave ``dyᵀ·x`` and ``Σ dy``; return ``dy·w``."""
        dz, n = np.ascontiguousarray(dy, dtype=np.float32), len(dy)
        if self.relu:
            dz = self._dz[:n]
            each(elementwise.relu_backward, np.ascontiguousarray(dy), self._y[:n], dz)
        (f, k), w, work = self._dw.shape, self.layer.weight, n * self.multiply_adds
        tasks = -(-k // (2 * LANES))
        launch(self._for_dw, tasks, work, flat(dz), 1, f, flat(self._x), flat(self._dw), f, k)
        w.grad = self._dw
        if self.layer.bias is not None:
            self.layer.bias.grad = dz.sum(axis=0)
        if not need_dx:
            return None
        dx, rows = self._dx[:n], np.ascontiguousarray(w.data)
        launch(matmul.product(*_tile(n)), tasks, work, flat(dz), f, 1, flat(rows), flat(dx), n, k)
        return dx

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels for a whole batch."""
        few = len(self._y) < max(FEW, self._height)
        forward = (matmul.by_dots,) if few else (self._by_columns, matmul.add_parts)
        for_dx = () if self.first else (matmul.product(*_tile(len(self._y))),)
        backward = (self._for_dw, *for_dx)
        rectify = (elementwise.relu_backward,) if self.relu else ()
        return (*forward, *backward, *rectify) if training else forward


def _tile(rows: int) -> tuple[int, int]:
    """Return the tile for a product of so many rows: two vectors keep what they multiply near."""
    most = [height for height in HEIGHTS if height <= rows]
    return min(most, key=lambda height: -(-rows // height) * max(2 * height, 8)), 2
