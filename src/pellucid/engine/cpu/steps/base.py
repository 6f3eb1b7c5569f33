"""What the CPU's steps share: their registry, and how a kernel takes a parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import ShapeError
from ....nn import Buffer, Clip, ReLU, ReLU6
from ....ops.checks import require_real
from ....typing import Array, Shape
from ...registry import StepRegistry

__all__ = ["CLIPPING", "STEPS", "bounds_of", "flat", "numbers", "serves", "weights"]

STEPS = StepRegistry()
serves = STEPS.serves
CLIPPING = ReLU, ReLU6, Clip  # the activations that only keep numbers between two bounds


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


def bounds_of(layer: Any) -> tuple[float, float]:
    """Return the bounds between which one of the `CLIPPING` layers keeps its numbers."""
    if isinstance(layer, ReLU):
        return 0.0, math.inf
    low, high = layer.low, layer.high
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def flat(a: Array) -> Array:
    """Return the C-contiguous array in one dimension."""
    return a.reshape(a.size)
