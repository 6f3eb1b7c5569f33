"""Winograd's transforms of F(4x4, 3x3), a line of Python for a line of the equation.

They come from interpolating polynomials at six points (the supplement of Lavin & Gray 2015): here
0, ±P, ±Q and infinity. The usual P = 1 and Q = 2 cost four times the rounding of these; that points
matter is shown by Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd
convolution for deep neural networks". With points in pairs, rows of Bᵀ share their even and odd
halves.

Each acts on the rows of a tile, which are vectors of `LANES` channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inlined
from ..simd import row, rows

__all__ = ["OUTPUTS", "PATCH", "PLACES", "a", "a_transposed", "b_transposed", "g", "g_transposed"]

PATCH, OUTPUTS = 6, 4  # pixels a side
PLACES = PATCH * PATCH

# Halves of odd numbers of eighths: their products and squares are exact in float32.
P, Q = 5 / 8, 11 / 8
P1, P2, P3 = np.float32(P), np.float32(P**2), np.float32(P**3)
Q1, Q2, Q3 = np.float32(Q), np.float32(Q**2), np.float32(Q**3)
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
def a_transposed(m: Any) -> Any:
    """Return ``Aᵀ·m``: six rows become four."""
    sum_p, odd_p = row(m, 1) + row(m, 2), row(m, 1) - row(m, 2)
    sum_q, odd_q = row(m, 3) + row(m, 4), row(m, 3) - row(m, 4)
    return rows(
        (
            row(m, 0) + sum_p + sum_q,
            P1 * odd_p + Q1 * odd_q,
            P2 * sum_p + Q2 * sum_q,
            P3 * odd_p + Q3 * odd_q + row(m, 5),
        )
    )


@inlined
def a(z: Any) -> Any:
    """Return ``A·z``: four rows become six."""
    z0, z1, z2, z3 = row(z, 0), row(z, 1), row(z, 2), row(z, 3)
    even_p, odd_p = z0 + P2 * z2, P1 * z1 + P3 * z3
    even_q, odd_q = z0 + Q2 * z2, Q1 * z1 + Q3 * z3
    return rows((z0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, z3))


@inlined
def g(cells: Any) -> Any:
    """Return ``G·g``: three rows become six."""
    g0, g1, g2 = row(cells, 0), row(cells, 1), row(cells, 2)
    even_p, odd_p = GP * (g0 + P2 * g2), (GP * P1) * g1
    even_q, odd_q = GQ * (g0 + Q2 * g2), (GQ * Q1) * g1
    return rows((G0 * g0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g2))


@inlined
def g_transposed(s: Any) -> Any:
    """Return ``Gᵀ·s``: six rows become three."""
    sum_p, odd_p = GP * (row(s, 1) + row(s, 2)), GP * (row(s, 1) - row(s, 2))
    sum_q, odd_q = GQ * (row(s, 3) + row(s, 4)), GQ * (row(s, 3) - row(s, 4))
    first = G0 * row(s, 0) + sum_p + sum_q
    return rows((first, P1 * odd_p + Q1 * odd_q, P2 * sum_p + Q2 * sum_q + row(s, 5)))
