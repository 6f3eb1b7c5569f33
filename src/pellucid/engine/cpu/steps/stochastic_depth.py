"""The step of stochastic depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....kernels import elementwise
from ....nn import StochasticDepth
from ....ops.dropout import require_probability, survivors
from ....typing import Array
from ..launch import launch
from .base import serves
from .pointwise import PointwiseStep

__all__ = ["StochasticDepthStep"]


@serves(StochasticDepth)
class StochasticDepthStep(PointwiseStep):
    """Stochastic depth, of the same images as by the plain layer; in inference nothing is done."""

    reads_input = reads_output = cheap = False
    returns_input = returns_gradient = True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernel for training; inference needs none."""
        return (elementwise.scale_images,) if training else ()

    def forward(self, x: Array) -> Array:
        """Return ``x``, while training with some images zeroed."""
        layer = self.layer
        require_probability(layer.p)
        self._factors: Array | None = None
        if not (layer.training and layer.p):
            return x
        self._factors = survivors(len(x), layer.p, rng=layer.rng).astype(np.float32)
        return self._scaled(x, self._factors, self._y)

    def repeats(self, images: int) -> bool:
        """Return whether it returns its input."""
        return not (self.layer.training and self.layer.p)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` times the same mask."""
        if not need_dx or self._factors is None:
            return dy if need_dx else None
        return self._scaled(dy, self._factors, self._dx)

    @staticmethod
    def _scaled(images: Array, factors: Array, out: Array) -> Array:
        """Write the scaled images to the buffer ``out``, and return them."""
        n = len(images)
        launch(elementwise.scale_images, n, images.size, images.reshape(n, -1), factors, out[:n])
        return out[:n].reshape(images.shape)
