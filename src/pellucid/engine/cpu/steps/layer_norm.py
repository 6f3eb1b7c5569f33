"""The step of layer normalisation, over the last axes or over the channels of each pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....kernels import layer_norm
from ....kernels.pool.threads import run_python
from ....kernels.tree import tree_sum
from ....memory import aligned_zeros
from ....nn import LayerNorm, LayerNorm2d
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import flat, serves, weights
from .pixel_blocks import ChunkBlocks

__all__ = ["LayerNormStep"]


@serves(LayerNorm, LayerNorm2d)
class LayerNormStep(Step):
    """Normalise rows: the last axes of (N, C, H, W), or the channels of (N, H, W, C)."""

    sums_by_share = cheap = True
    reads_output = False

    def __init__(self, name: str, layer: Any, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.layer, self.kernel = layer, layer.short_name
        pixels = isinstance(layer, LayerNorm2d)
        self._shape: Shape = (layer.num_channels,) if pixels else layer.normalized_shape
        self.channels_last = pixels if len(input_shape) == 3 else None
        self._m = math.prod(self._shape)
        self._y = self.output((batch, math.prod(input_shape)))
        self._dx = self.input_gradient(self._y.shape)
        self._stats = self.kept((self._y.size // self._m, 3))
        self._per = max(1, layer_norm.ROWS_BLOCK // self._m)
        self._scratch = self._sums = aligned_zeros(0)  # of the gradients, with the first backward
        self._ones, self._zeros = np.ones(self._m, np.float32), aligned_zeros(self._m)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        self._x, y = x, self._y[: len(x)].reshape(x.shape)
        cut = ChunkBlocks.of_one_chunk(len(x), math.prod(x.shape[1:]) // self._m, self._per)
        beta = self._zeros if self.layer.bias is None else self._flat(self.layer.bias)
        launch(
            layer_norm.layer_norm, len(cut), 4 * x.size, flat(x), flat(y), self._gamma(), beta,
            self._stats[:], cut.bounds, float(self.layer.eps),
        )  # fmt: skip
        return y

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients of scale and shift; return that of the input."""
        dx, cut = self._dx[: len(dy)].reshape(dy.shape), self._cut(dy)
        if len(self._sums) < len(cut):
            self._scratch = aligned_zeros((len(cut), 2, self._m))
            self._sums = np.empty((len(cut), 2, self._m))
        launch(
            layer_norm.layer_norm_backward, len(cut), 6 * dy.size, flat(dy), flat(self._x),
            flat(dx), self._gamma(), self._stats[:], cut.bounds, self._scratch, self._sums,
        )  # fmt: skip
        if self.learns:
            run_python(self._write_gradients, cut, self._sums[: len(cut)])
        return dx if need_dx else None

    def _write_gradients(self, cut: ChunkBlocks, sums: Array) -> None:
        """Write the gradients of scale and shift, given the sums of each block."""
        chunks = cut.chunk_sums(sums).swapaxes(0, 1)
        for parameter, parts in zip((self.layer.weight, self.layer.bias), chunks, strict=True):
            if parameter is not None:
                total = tree_sum(parts.astype(parameter.data.dtype))
                self.gradient(parameter)[:] = total.reshape(self._shape)

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return (layer_norm.layer_norm, *(layer_norm.layer_norm_backward,) * training)

    def _gamma(self) -> Array:
        return self._ones if self.layer.weight is None else self._flat(self.layer.weight)

    def _flat(self, parameter: Any) -> Array:
        return flat(weights(parameter, self._shape, self.name))

    def _cut(self, x: Array) -> ChunkBlocks:
        """Return the blocks of the rows of a batch."""
        rows = math.prod(x.shape[1:]) // self._m
        return ChunkBlocks.of(self.share.bounds(self.share.chunks), rows, self._per)
