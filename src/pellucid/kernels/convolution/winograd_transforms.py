"""Winograd's transforms of patches of 6x6, a line of Python for a line of the equation.

A patch makes m x m outputs of a window of (7 - m) x (7 - m): F(4x4, 3x3), F(2x2, 5x5) and so on.
The transforms come from polynomials at six points (the supplement of Lavin & Gray 2015): here 0,
±P, ±Q and infinity, where a polynomial's value is its last coefficient. A has the values of one
with m coefficients, G those of one with 7 - m, scaled; Bᵀ interpolates, whatever m is.

The usual P = 1 and Q = 2 cost four times the rounding of these; that points matter is shown by
Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd convolution for deep
neural networks". With points in pairs, values share their even and odd halves.

Each acts on the rows of a tile, which are vectors of `LANES` channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inlined
from ..simd import row, rows

__all__ = ["PATCH", "PLACES", "b_transposed", "scaled", "values", "values_transposed"]

PATCH = 6  # pixels a side
PLACES = PATCH * PATCH

# Halves of odd numbers of eighths: their products and squares are exact in float32.
P, Q = 5 / 8, 11 / 8
P1, P2, P3, P4 = (np.float32(P**k) for k in range(1, 5))
Q1, Q2, Q3, Q4 = (np.float32(Q**k) for k in range(1, 5))
SUM, PRODUCT = np.float32(P**2 + Q**2), np.float32(P**2 * Q**2)
G0, GP = np.float32(1 / (P * Q) ** 2), np.float32(1 / (2 * P**2 * (P**2 - Q**2)))
GQ = np.float32(1 / (2 * Q**2 * (Q**2 - P**2)))


@inlined
def b_transposed(d: Any) -> Any:
    """Return ``Bᵀ·d``: six rows stay six."""
    d0, d1, d2, d3, d4, d5 = row(d, 0), row(d, 1), row(d, 2), row(d, 3), row(d, 4), row(d, 5)
    even_p, odd_p = d4 - Q2 * d2, P1 * (d3 - Q2 * d1)
    even_q, odd_q = d4 - P2 * d2, Q1 * (d3 - P2 * d1)
    first, last = PRODUCT * d0 - SUM * d2 + d4, PRODUCT * d1 - SUM * d3 + d5
    return rows((first, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, last))


@inlined
def scaled(t: Any) -> Any:
    """Return the six rows times the factors of G."""
    t1, t2, t3, t4 = GP * row(t, 1), GP * row(t, 2), GQ * row(t, 3), GQ * row(t, 4)
    return rows((G0 * row(t, 0), t1, t2, t3, t4, row(t, 5)))


def values(count: int) -> Any:
    """Return what evaluates polynomials at the points: rows of ``count`` coefficients become six.

    The matrix is A for ``count`` outputs, and G but for the factors for a window of ``count``.
    """
    return {2: _values_of_2, 3: _values_of_3, 4: _values_of_4, 5: _values_of_5}[count]


def values_transposed(count: int) -> Any:
    """Return the transpose: six rows become ``count``."""
    return {2: _back_to_2, 3: _back_to_3, 4: _back_to_4, 5: _back_to_5}[count]


@inlined
def _values_of_2(z: Any) -> Any:
    z0, z1 = row(z, 0), row(z, 1)
    odd_p, odd_q = P1 * z1, Q1 * z1
    return rows((z0, z0 + odd_p, z0 - odd_p, z0 + odd_q, z0 - odd_q, z1))


@inlined
def _values_of_3(z: Any) -> Any:
    z0, z1, z2 = row(z, 0), row(z, 1), row(z, 2)
    even_p, odd_p = z0 + P2 * z2, P1 * z1
    even_q, odd_q = z0 + Q2 * z2, Q1 * z1
    return rows((z0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, z2))


@inlined
def _values_of_4(z: Any) -> Any:
    z0, z1, z2, z3 = row(z, 0), row(z, 1), row(z, 2), row(z, 3)
    even_p, odd_p = z0 + P2 * z2, P1 * z1 + P3 * z3
    even_q, odd_q = z0 + Q2 * z2, Q1 * z1 + Q3 * z3
    return rows((z0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, z3))


@inlined
def _values_of_5(z: Any) -> Any:
    z0, z1, z2, z3, z4 = row(z, 0), row(z, 1), row(z, 2), row(z, 3), row(z, 4)
    even_p, odd_p = z0 + P2 * z2 + P4 * z4, P1 * z1 + P3 * z3
    even_q, odd_q = z0 + Q2 * z2 + Q4 * z4, Q1 * z1 + Q3 * z3
    return rows((z0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, z4))


@inlined
def _back_to_2(m: Any) -> Any:
    sum_p, odd_p = row(m, 1) + row(m, 2), row(m, 1) - row(m, 2)
    sum_q, odd_q = row(m, 3) + row(m, 4), row(m, 3) - row(m, 4)
    return rows((row(m, 0) + sum_p + sum_q, P1 * odd_p + Q1 * odd_q + row(m, 5)))


@inlined
def _back_to_3(m: Any) -> Any:
    sum_p, odd_p = row(m, 1) + row(m, 2), row(m, 1) - row(m, 2)
    sum_q, odd_q = row(m, 3) + row(m, 4), row(m, 3) - row(m, 4)
    first, last = row(m, 0) + sum_p + sum_q, P2 * sum_p + Q2 * sum_q + row(m, 5)
    return rows((first, P1 * odd_p + Q1 * odd_q, last))


@inlined
def _back_to_4(m: Any) -> Any:
    sum_p, odd_p = row(m, 1) + row(m, 2), row(m, 1) - row(m, 2)
    sum_q, odd_q = row(m, 3) + row(m, 4), row(m, 3) - row(m, 4)
    first, last = row(m, 0) + sum_p + sum_q, P3 * odd_p + Q3 * odd_q + row(m, 5)
    return rows((first, P1 * odd_p + Q1 * odd_q, P2 * sum_p + Q2 * sum_q, last))


@inlined
def _back_to_5(m: Any) -> Any:
    sum_p, odd_p = row(m, 1) + row(m, 2), row(m, 1) - row(m, 2)
    sum_q, odd_q = row(m, 3) + row(m, 4), row(m, 3) - row(m, 4)
    first, last = row(m, 0) + sum_p + sum_q, P4 * sum_p + Q4 * sum_q + row(m, 5)
    second, fourth = P1 * odd_p + Q1 * odd_q, P3 * odd_p + Q3 * odd_q
    return rows((first, second, P2 * sum_p + Q2 * sum_q, fourth, last))
