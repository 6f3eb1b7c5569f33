"""The step of a layer that no other step serves: the layer itself."""

from __future__ import annotations

import numpy as np

from ....nn import Layer
from ....ops.checks import require_real, require_shape
from ....typing import Array
from ...step import Shape, Step

__all__ = ["PlainStep"]


class PlainStep(Step):
    """Call the layer itself."""

    kernel = "plain NumPy"
    channels_last = False

    def __init__(
        self, name: str, layer: Layer, input_shape: Shape, batch: int, *, single: bool = True
    ) -> None:
        super().__init__(name, layer.output_shape(input_shape), layer.multiply_adds(input_shape))
        self.layer, self.single, self._input_shape = layer, single, tuple(input_shape)

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        shape = (len(x), *self.output_shape)
        return self._checked(self.layer(x), shape, "an output", "(N, *output_shape)")

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the layer's gradient."""
        dx = self.layer.backward(dy)
        shape = (len(dy), *self._input_shape)
        return self._checked(dx, shape, "an input gradient", "(N, *input_shape)")

    def _checked(self, a: Array, shape: Shape, what: str, letters: str) -> Array:
        """Return what the layer made as other steps take it: their kernels check nothing."""
        a, name = np.asarray(a), f"{what} of {type(self.layer).__name__}"
        require_real(a, self.name or "Plan", name)
        a = np.require(a, np.float32 if self.single else None, ["C", "W"])
        require_shape(a, shape, name, letters, self.name or "Plan")
        return a
