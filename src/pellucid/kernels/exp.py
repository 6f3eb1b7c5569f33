"""The exponential of numbers up to zero, for loops that LLVM vectorises.

    e^z = 2^n · e^r        n = round(z / ln 2),  |r| ≤ ln 2 / 2
    e^r = 1 + r + r² · p(r)

with the polynomial of Moshier's Cephes library (single/expf.c). The relative error is at most 5e-7
on processors with a fused multiply-add (on others 5e-6, for the smallest z). LLVM does not
vectorise ``exp`` itself, which takes eight times as long. Activations and losses are written so
that they only need exponentials up to 1, and nothing can overflow.

NaN gives NaN; a result below the smallest normal number is 0, never denormal.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import kernel

__all__ = ["decay", "decay_minus_one"]

PER_LN2, LN2 = np.float32(1 / math.log(2)), np.float32(math.log(2))
LOWEST = np.float32(-87.3)  # e^z is normal down to here
CEPHES = tuple(
    np.float32(c)
    for c in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)


@kernel
def decay(z: np.float32) -> np.float32:
    """Return ``e^z`` for ``z ≤ 0``."""
    n = np.rint(max(z, LOWEST) * PER_LN2)
    r = z - n * LN2
    p = CEPHES[0]
    p = p * r + CEPHES[1]
    p = p * r + CEPHES[2]
    p = p * r + CEPHES[3]
    p = p * r + CEPHES[4]
    p = p * r + CEPHES[5]
    bits = (np.int32(n) + np.int32(127)) << np.int32(23)  # of 2^n
    power = np.int32(bits).view(np.float32)
    return np.float32(0) if z < LOWEST else power * (np.float32(1) + r + r * r * p)


@kernel
def decay_minus_one(z: np.float32) -> np.float32:
    """Return ``e^z - 1`` for ``z ≤ 0``, also right where that is close to 0."""
    n = np.rint(max(z, LOWEST) * PER_LN2)
    r = z - n * LN2
    p = CEPHES[0]
    p = p * r + CEPHES[1]
    p = p * r + CEPHES[2]
    p = p * r + CEPHES[3]
    p = p * r + CEPHES[4]
    p = p * r + CEPHES[5]
    bits = (np.int32(n) + np.int32(127)) << np.int32(23)  # of 2^n
    power = np.int32(bits).view(np.float32)
    return np.float32(-1) if z < LOWEST else power * (r + r * r * p) + (power - np.float32(1))
