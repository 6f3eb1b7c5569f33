"""The step of a layer that no other step serves: the layer itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....nn import Layer
from ....ops.checks import require_real, require_shape
from ....typing import Array, Shape
from ...step import Step

__all__ = ["PlainStep"]


class PlainStep(Step):
    """Call the layer itself."""

    kernel = "plain NumPy"
    channels_last = False

    def __init__(
        self, name: str, layer: Layer, input_shape: Any, batch: int, *, single: bool = True
    ) -> None:
        several = any(isinstance(size, tuple) for size in input_shape)  # a join's
        shapes: Sequence[Shape] = input_shape if several else (input_shape,)
        super().__init__(name, layer.output_shape(*shapes), layer.multiply_adds(*shapes))
        self.layer, self.single, self._input_shapes = layer, single, [*map(tuple, shapes)]

    def forward(self, *x: Array) -> Array:
        """Return the layer's output."""
        shape = (len(x[0]), *self.output_shape)
        return self._checked(self.layer(*x), shape, "an output", "(N, *output_shape)")

    def backward(self, dy: Array, *, need_dx: bool) -> tuple[Array, ...]:
        """Return the layer's gradient for each input."""
        dx = self.layer.backward(dy)
        parts = dx if isinstance(dx, tuple) else (dx,)
        return tuple(
            self._checked(part, (len(dy), *shape), "an input gradient", "(N, *input_shape)")
            for part, shape in zip(parts, self._input_shapes, strict=True)
        )

    def _checked(self, a: Array, shape: Shape, what: str, letters: str) -> Array:
        """Return what the layer made as other steps take it: their kernels check nothing."""
        a, name = np.asarray(a), f"{what} of {type(self.layer).__name__}"
        require_real(a, self.name or "Plan", name)
        a = np.require(a, np.float32 if self.single else None, ["C", "W"])
        require_shape(a, shape, name, letters, self.name or "Plan")
        return a
