"""The activation that a convolution applies to its sums before it writes them.

Which one it is comes as an `Activation`, two numbers and a kind, so that one kernel serves all.
Bounds cost nothing: the sums are still in registers. A function takes them by way of a scratch
array in the nearest cache, where the loops of the elementwise kernels pass over it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...typing import Array
from ..elementwise import sigmoid_of, silu_of
from ..jit import LANES, inlined, kernel, widest_vectors
from ..rectifiers import hardsigmoid_of, hardswish_of
from ..simd import clip, load, store
from ..smooth_activations import gelu_of

__all__ = [
    "CLIP",
    "GELU",
    "HARDSIGMOID",
    "HARDSWISH",
    "NO_ACTIVATION",
    "RELU",
    "SIGMOID",
    "SILU",
    "Activation",
    "clipping",
    "on_tiles",
]

CLIP, SIGMOID, HARDSIGMOID, SILU, HARDSWISH, GELU = range(6)  # everything after CLIP is a function


class Activation(NamedTuple):
    """Which activation it is, and its constants: bounds, or α and β."""

    kind: int
    a: float = 0.0
    b: float = 0.0


def clipping(low: float, high: float) -> Activation:
    """Return the activation that keeps numbers between two bounds."""
    return Activation(CLIP, float(low), float(high))


NO_ACTIVATION, RELU = clipping(-math.inf, math.inf), clipping(0, math.inf)


def on_tiles(height: int, vectors: int, *, functions: bool) -> Any:
    """Return what applies an activation to a tile: bounds only, or ``functions`` too.

    These take half a second more to compile, in each kernel that has them.
    """
    width = vectors * LANES

    @inlined
    def clipped(z: Any, activation: Activation, scratch: Array, result: Array) -> Any:
        """Return ``z`` between the bounds."""
        return clip(z, activation.a, activation.b)

    @inlined
    def activated(z: Any, activation: Activation, scratch: Array, result: Array) -> Any:
        """Return a function of ``z``; scratch and result are arrays of its size."""
        store(z, scratch, 0, width)
        _write(scratch, result, activation.kind, activation.a, activation.b)
        return load(height, vectors, result, 0, width, LANES)

    return activated if functions else clipped


@kernel
@widest_vectors
def _write(x: Array, y: Array, kind: int, a: float, b: float) -> None:
    """Write a function of the numbers ``x`` to ``y``, which is another array of the same size."""
    if kind == SIGMOID:
        sigmoid_of(x, y)
    elif kind == HARDSIGMOID:
        hardsigmoid_of(x, y, a, b)
    elif kind == SILU:
        silu_of(x, y)
    elif kind == HARDSWISH:
        hardswish_of(x, y)
    elif kind == GELU:
        gelu_of(x, y)
