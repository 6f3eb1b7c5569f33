"""The step of group and instance normalisation, over channels-last images."""

from __future__ import annotations

import math

import numpy as np

from ....nn import GroupNorm, InstanceNorm2d, Layer
from ....typing import Array, Shape
from .base import CLIPPING, serves
from .pixel_blocks import ChunkBlocks
from .standardizing import FUNCTIONS, StandardizingStep

__all__ = ["GroupNormStep"]


@serves(GroupNorm, InstanceNorm2d)
class GroupNormStep(StandardizingStep):
    """Group normalisation, and a ReLU, ReLU6, SiLU or hardswish that follows.

    A block is an image, with rows of its own. Instance normalisation is that of groups of one
    channel.
    """

    layer: GroupNorm | InstanceNorm2d
    followers = (*CLIPPING, *FUNCTIONS)

    def __init__(
        self, name: str, layer: GroupNorm | InstanceNorm2d, input_shape: Shape, batch: int, *,
        follower: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            name, layer, input_shape, batch,
            block=math.prod(input_shape), sets=batch, follower=follower,
        )  # fmt: skip

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        self._x, layer = x, self.layer
        gamma, beta = self._scale_and_shift()
        images = ChunkBlocks.of_one_chunk(len(x), self._per, self._per)
        means, squares = self._block_statistics(x, images)
        with np.errstate(all="ignore"):  # NaN and infinity propagate
            mean = self._over_groups(means)
            pixels = self._per // self.channels
            var = self._over_groups(squares / pixels + (means - mean) ** 2)
            around = mean.astype(np.float32)
            self._inverse, self._off = (var + layer.eps) ** -0.5, around - mean
            scale = gamma * self._inverse
            self._fill(0, around, scale, beta + self._off * scale)
        return self.again(x)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients of scale and shift; return that of the input."""
        gamma, _ = self._scale_and_shift()
        inverse, off, cut = self._inverse, self._off, self._cut(dy)
        totals, moments = self._gradient_sums(dy)
        with np.errstate(all="ignore"):
            along = inverse * (moments + off * totals)
            self._write_gradients(cut.chunk_sums(along), cut.chunk_sums(totals))
            if not need_dx:
                return None
            # dx = inverse · (h - mean(h) - x̂ · mean(h · x̂)) with h = gamma · dz
            pixels = self._per // self.channels
            mean, slope = (self._over_groups(gamma * a / pixels) for a in (totals, along))
            slope = -slope * inverse**2
            self._fill(3, slope, slope * off - inverse * mean)
        return self._write_dx(dy, fixed=False)

    def _scale_and_shift(self) -> list[Array]:
        """Return γ and β, in float64."""
        weight, bias = self.layer.weight, self.layer.bias
        if weight is None or bias is None:
            return [np.ones(self.channels), np.zeros(self.channels)]
        return self._of_channels(weight, bias)

    def _over_groups(self, values: Array) -> Array:
        """Return the mean over the channels of each group, for every channel (N, C) of it."""
        groups = self.layer.num_groups
        mean = values.reshape(len(values), groups, -1).mean(axis=2)
        return np.repeat(mean, self.channels // groups, axis=1)
