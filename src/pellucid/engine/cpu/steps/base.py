"""What the CPU's steps share: their registry, and how a kernel takes a parameter."""

from __future__ import annotations

import numpy as np

from ....errors import ShapeError
from ....nn import Buffer
from ....ops.checks import require_real
from ....typing import Array, Shape
from ...registry import StepRegistry

__all__ = ["STEPS", "flat", "numbers", "serves", "weights"]

STEPS = StepRegistry()
serves = STEPS.serves


def weights(parameter: Buffer, shape: Shape, name: str) -> Array:
    """Return a parameter as the kernels take it, or refuse one that has lost its ``shape``."""
    return np.ascontiguousarray(numbers(parameter, shape, name), dtype=np.float32)


def numbers(buffer: Buffer, shape: Shape, name: str) -> Array:
    """Return what a buffer holds, or refuse it if it has lost its ``shape``, or is not real."""
    if buffer.data.shape != shape:
        raise ShapeError(
            f"was compiled for a parameter of shape {shape}, which has {buffer.data.shape} now. "
            "Compile another plan, of a layer of that size.",
            where=name or "Plan",
        )
    require_real(buffer.data, name or "Plan", "a parameter")
    return buffer.data


def flat(a: Array) -> Array:
    """Return the C-contiguous array in one dimension."""
    return a.reshape(a.size)
