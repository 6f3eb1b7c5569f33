"""The outputs of a plan: one array, or for a graph of several outputs a tuple of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..nn.walk import one_for_each
from ..typing import Array, Shape

__all__ = ["Outputs"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Which values of a plan are returned, and whether as a tuple.

    Attributes
    ----------
    values : tuple of int
        Their numbers.
    several : bool
    """

    values: tuple[int, ...]
    several: bool

    def returned(self, arrays: Sequence[Array]) -> Any:
        """Return the arrays as the model returns them."""
        return tuple(arrays) if self.several else arrays[0]

    def of_no_images(self, shape: Any) -> list[Shape]:
        """Return the outputs' shapes of an empty batch, for the model's output ``shape``."""
        return [(0, *one) for one in (shape if self.several else (shape,))]

    def gradients(self, dy: Any, shapes: Sequence[Shape]) -> list[tuple[int, Array | None]]:
        """Return the gradient of each output with the number of its value.

        Raises
        ------
        ArgumentError, ShapeError
            If there is not one for each of several outputs, or its shape is not that of the output.
        """
        parts = one_for_each(dy, len(self.values)) if self.several else (dy,)
        found: list[tuple[int, Array | None]] = []
        for value, part, shape in zip(self.values, parts, shapes, strict=True):
            g = None if part is None and self.several else np.asarray(part)
            if g is not None and g.shape != shape:
                raise ShapeError(
                    f"expects an output gradient shaped like its last output, {shape}, received "
                    f"{g.shape}.",
                    where="Plan",
                )
            found.append((value, g))
        return found
