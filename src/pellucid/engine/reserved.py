"""What a step reserves before a plan knows where it lies: an array's shape, and its use.

A plan knows in advance when each buffer is written and last read (`pellucid.engine.lives`), and
lays buffers that are never needed at once over each other (`pellucid.engine.arena`).
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from ..memory import aligned_zeros
from ..typing import Array, Shape

__all__ = ["Reserved", "Use", "reserved_in", "resolved"]


class Use(Enum):
    """What a buffer is for, which decides how long it must last."""

    OUTPUT = "outputs"  # until its last reader; until backward, if that reads it
    KEPT = "kept"  # from forward until backward
    GRADIENT = "gradients"  # of an input, until the step that made the input has read it
    FORWARD = "scratch of forward"  # within one forward
    BACKWARD = "scratch"  # within one backward
    EITHER = "scratch of either"  # within each of the two


class Reserved:
    """An array that is not there yet.

    A plan replaces it by one of this shape, with any numbers in it. A step that is used without a
    plan gets memory of its own when it first takes a part of the array.

    Examples
    --------
    >>> y = Reserved(Use.OUTPUT, (10, 4))
    >>> y.shape, y.nbytes, y[:3].shape
    ((10, 4), 160, (3, 4))
    """

    def __init__(self, use: Use, shape: int | Shape, dtype: npt.DTypeLike = np.float32) -> None:
        self.use, self.dtype = use, np.dtype(dtype)
        self.shape: Shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._own: Array | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, key: Any) -> Any:
        return self._memory()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._memory()[key] = value

    def _memory(self) -> Array:
        if self._own is None:
            self._own = aligned_zeros(self.shape, self.dtype)
        return self._own

    def __len__(self) -> int:
        return self.shape[0]


def reserved_in(value: Any) -> list[Reserved]:
    """Return what is reserved in an attribute: itself, or in a list or a tuple."""
    if isinstance(value, Reserved):
        return [value] if value.size else []
    if isinstance(value, list | tuple):
        return [found for one in value for found in reserved_in(one)]
    return []


def resolved(value: Any, arrays: dict[Reserved, Array]) -> Any:
    """Return an attribute with ``arrays`` in the places of what was reserved."""
    if isinstance(value, Reserved):
        return arrays.get(value, value) if value.size else np.empty(value.shape, value.dtype)
    if isinstance(value, list):
        return [resolved(one, arrays) for one in value]
    if isinstance(value, tuple):
        parts = [resolved(one, arrays) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
