"""Convolution of 3x3 windows, one by one, by Winograd's F(4x4, 3x3): 36 products instead of 144.

Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", section 4. The image is cut
into patches d of 6x6 that overlap by two; each makes 4x4 outputs of a filter g:

    y = Aᵀ · [(G·g·Gᵀ) ⊙ (Bᵀ·d·B)] · A

Between the transforms stand 36 matrix products, one for each place k of a patch, over the channels:

    m[k, patch, f] = Σ_c v[k, patch, c] · u[k, c, f]       v = Bᵀ·d·B, u = G·g·Gᵀ

The gradient for the filters goes the same way back: dg = Gᵀ · [Σ_patch v ⊙ (A·dz·Aᵀ)] · G. The
gradient for the image is the convolution of dz with the flipped filters.

A, B and G come of interpolating polynomials at six points (the paper's supplement): here 0, ±P, ±Q
and infinity. The usual P = 1 and Q = 2 cost four times the rounding of these; that points matter is
shown by Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd convolution
for deep neural networks". With points in pairs, rows of Bᵀ share their even and odd halves.

v and m lie place by place. A line between two places keeps those of one patch, which a transform
writes or reads together, from falling into the same set of the nearest cache. No image is copied: a
patch is read where it lies, or made of dy on the way, and a block of patches may be of several
images. A task is such a block, or a chunk of them (weight gradient); it has places of its own.

The transforms work on vectors of `LANES` channels, a line of Python for a line of the equation. For
the arrays see `pellucid.kernels.convolution.direct`, whose twin this is, to 1e-5 as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import (
    add_everywhere,
    add_rows_from,
    alternating,
    every_other,
    keep_larger,
    load,
    load_bytes_between,
    load_rows_between,
    outer,
    relu,
    row,
    rows,
    scatter,
    store,
    store_bytes_within,
    store_within,
    turned,
    where_above_zero,
    where_equal,
    zeros,
)
from .geometry import LINE, STOPPED, Sliding, aligned

__all__ = ["backward_weights", "filters_back", "filters_forward", "forward"]

PATCH, OUTPUTS = 6, 4  # cells a side
PLACES = PATCH * PATCH
ONE, TWO, THREE = np.float32(1), np.float32(2), np.float32(3)

# Halves of odd numbers of eighths: their products and squares are exact in float32.
P, Q = 5 / 8, 11 / 8
P1, P2, P3 = np.float32(P), np.float32(P**2), np.float32(P**3)
Q1, Q2, Q3 = np.float32(Q), np.float32(Q**2), np.float32(Q**3)
SUM, PRODUCT = np.float32(P**2 + Q**2), np.float32(P**2 * Q**2)
G0, GP = np.float32(1 / (P * Q) ** 2), np.float32(1 / (2 * P**2 * (P**2 - Q**2)))
GQ = np.float32(1 / (2 * Q**2 * (Q**2 - P**2)))


@kernel
def _b(d: Any) -> Any:
    """``Bᵀ·d``, on the rows of a tile of six."""
    d0, d1, d2, d3, d4, d5 = row(d, 0), row(d, 1), row(d, 2), row(d, 3), row(d, 4), row(d, 5)
    even_p, odd_p = d4 - Q2 * d2, P1 * (d3 - Q2 * d1)
    even_q, odd_q = d4 - P2 * d2, Q1 * (d3 - P2 * d1)
    first, last = PRODUCT * d0 - SUM * d2 + d4, PRODUCT * d1 - SUM * d3 + d5
    return rows((first, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, last))


@kernel
def _a_transposed(m: Any) -> Any:
    """``Aᵀ·m``: six rows become four."""
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


@kernel
def _a(z: Any) -> Any:
    """``A·z``: four rows become six."""
    z0, z1, z2, z3 = row(z, 0), row(z, 1), row(z, 2), row(z, 3)
    even_p, odd_p = z0 + P2 * z2, P1 * z1 + P3 * z3
    even_q, odd_q = z0 + Q2 * z2, Q1 * z1 + Q3 * z3
    return rows((z0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, z3))


def _patches(side: int, transform: Any) -> Any:
    """Return the kernel that cuts images into squares of ``side``, 4 apart, and transforms them."""
    pairs = side // 2 + 1

    @kernel
    def cut(
        x: Array, gate: Array, won: Array, s: Sliding, first: int, last: int, rectified: bool,
        strip: Array, v: Array, apart: int, total: Array,
    ) -> None:  # fmt: skip
        """Write ``T·d·Tᵀ`` of the patches ``first`` to ``last`` of all images into ``v``.

        Patches side by side share the columns of T·d, which wait in ``strip``. A gradient's pixels
        (patches without overlap) are added to ``total``.
        """
        down, across, line = s.rows // OUTPUTS, s.pitch // OUTPUTS, s.w * s.c
        p = first
        while p < last:
            n, i, j = p // (down * across), p // across % down, p % across
            run = min(across - j, last - p)
            top, left = OUTPUTS * i - s.top, OUTPUTS * j - s.left
            for c in range(0, s.c, LANES):
                count, z = min(LANES, s.c - c), zeros(side, 1)
                for e in range(left, left + OUTPUTS * run + side - OUTPUTS):
                    d = zeros(side, 1)  # what is outside of the image
                    if s.cell == 1 and 0 <= e < s.w:
                        at = (n * s.h + top) * line + e * s.c + c
                        d = load_rows_between(side, x, at, line, -top, s.h - top, count)
                        if rectified:
                            g = load_rows_between(side, gate, at, line, -top, s.h - top, count)
                            d = where_above_zero(d, g, np.float32(0))
                    elif s.cell == 2 and 0 <= e < 2 * s.w:
                        # Of two by two pixels one gets the number: the one that won.
                        half, right = top >> 1, np.float32(e & 1)
                        at = (n * s.h + half) * line + (e >> 1) * s.c + c
                        t = load_rows_between(pairs, x, at, line, -half, s.h - half, count)
                        winner = load_bytes_between(pairs, won, at, line, -half, s.h - half, count)
                        upper = where_equal(t, winner, right)
                        lower = where_equal(t, winner, TWO + right)
                        if top & 1:
                            d = alternating(upper, lower, 1, side)
                        else:
                            d = alternating(upper, lower, 0, side)
                    store(transform(d), strip, (e - left) * PATCH * LANES, LANES)
                    z = z + d
                # Each loop holds one column or one row: whole patches would not fit in registers.
                for q in range(run):
                    to = (p - first + q) * s.depth + c
                    for r in range(PATCH):
                        at = (q * OUTPUTS * PATCH + r) * LANES
                        t_d = transform(load(side, 1, strip, at, PATCH * LANES, 0))
                        store(t_d, v, to + r * PATCH * apart, apart)
                if side == OUTPUTS:
                    pixels = (row(z, 0) + row(z, 1)) + (row(z, 2) + row(z, 3))
                    store(pixels + load(1, 1, total, c, 0, 0), total, c, 0)
            p += run

    return cut


_image_patches = _patches(PATCH, _b)
_gradient_patches = _patches(OUTPUTS, _a)


@cache
def forward(height: int, vectors: int, pool: int) -> Any:
    """Return the kernel for tiles of ``height`` patches x ``vectors`` of filters.

    ``pool`` is 1, or 2 for the largest of each 2x2 outputs.
    """
    side = OUTPUTS // pool

    @kernel
    def convolve(
        queue: Array, x: Array, gate: Array, won: Array, u: Array, b: Array, y: Array, arg: Array,
        s: Sliding, patches: int, together: int, rectified: bool, rectify: bool,
    ) -> None:  # fmt: skip
        wide, deep = len(b), s.depth
        down, across = s.rows // OUTPUTS, s.pitch // OUTPUTS
        most = max(height, together)
        strip = aligned(np.empty(s.pitch * PATCH * LANES + LINE, dtype=np.float32))
        vs, ms = most * deep + LINE, most * wide + LINE
        v = aligned(np.empty(PLACES * vs + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * ms + LINE, dtype=np.float32))
        for task in share(queue):
            first, last = task * together, min((task + 1) * together, patches)
            _image_patches(x, gate, won, s, first, last, rectified, strip, v, vs, b)
            for k in range(PLACES):
                for f in range(0, wide, vectors * LANES):
                    for over in range(0, last - first, height):
                        p = max(0, min(over, last - first - height))
                        t = zeros(height, vectors)
                        left, right = k * vs + p * deep, k * deep * wide + f
                        for c in range(s.c):
                            t = outer(t, v, left + c, deep, u, right + c * wide)
                        store(t, m, k * ms + p * wide + f, wide)
            for p in range(first, last):
                n, i, j = p // (down * across), p // across % down * side, p % across * side
                below, beside = min(side, s.oh - i), min(side, s.ow - j)
                for f in range(0, s.f, LANES):
                    count = min(LANES, s.f - f)
                    for e in range(PATCH):
                        t = load(PATCH, 1, m, e * ms + (p - first) * wide + f, PATCH * ms, 0)
                        store(_a_transposed(t), strip, e * OUTPUTS * LANES, LANES)
                    for r in range(below):
                        t = load(PATCH, pool, strip, r * pool * LANES, OUTPUTS * LANES, LANES)
                        z = turned(_a_transposed(t))
                        to = ((n * s.oh + i + r) * s.ow + j) * s.f + f
                        if pool == 1:
                            best = z
                        else:
                            best, winner = every_other(z, 0, 0), zeros(1, side)
                            best, winner = keep_larger(best, winner, every_other(z, 0, 1), ONE)
                            best, winner = keep_larger(best, winner, every_other(z, 1, 0), TWO)
                            best, winner = keep_larger(best, winner, every_other(z, 1, 1), THREE)
                        best = add_everywhere(best, b, f)
                        if pool > 1:
                            if rectify:
                                winner = where_above_zero(winner, best, np.float32(STOPPED))
                            store_bytes_within(winner, arg, to, 0, s.f, 1, beside, count)
                        if rectify:
                            best = relu(best)
                        store_within(best, y, to, 0, s.f, 1, beside, count)

    return convolve


@cache
def backward_weights(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` channels x ``vectors`` of filters."""

    @kernel
    def accumulate(
        queue: Array, x: Array, dy: Array, gate: Array, won: Array, du: Array, db: Array,
        s: Sliding, d: Sliding, patches: int, together: int, rectified: bool,
    ) -> None:  # fmt: skip
        """Write each chunk's share into ``du[chunk]`` (C, 36, F) and ``db[chunk]``."""
        chunks, deep, wide, every = len(db), s.depth, d.depth, vectors * LANES
        strip = aligned(np.empty(s.pitch * PATCH * LANES + LINE, dtype=np.float32))
        vs, ms = together * deep + LINE, together * wide + LINE
        v = aligned(np.empty(PLACES * vs + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * ms + LINE, dtype=np.float32))
        for chunk in share(queue):
            sums, total = du[chunk], db[chunk]
            total[:] = 0
            begin, end = chunk * patches // chunks, (chunk + 1) * patches // chunks
            if begin == end:
                sums[:] = 0
            for first in range(begin, end, together):
                last = min(first + together, end)
                _image_patches(x, gate, won, s, first, last, False, strip, v, vs, total)
                _gradient_patches(dy, gate, won, d, first, last, rectified, strip, m, ms, total)
                for k in range(PLACES):
                    for f in range(0, wide, every):
                        for over in range(0, deep, height):
                            c = min(over, deep - height)
                            t = zeros(height, vectors)
                            for p in range(last - first):
                                t = outer(t, v, k * vs + p * deep + c, 1, m, k * ms + p * wide + f)
                            to, step = (c * PLACES + k) * wide + f, PLACES * wide
                            if first == begin:
                                store(t, sums, to, step)
                            else:
                                add_rows_from(t, sums, to, step, over - c, every)

    return accumulate


@kernel
def _g(g: Any) -> Any:
    """``G·g``: three rows become six."""
    g0, g1, g2 = row(g, 0), row(g, 1), row(g, 2)
    even_p, odd_p = GP * (g0 + P2 * g2), (GP * P1) * g1
    even_q, odd_q = GQ * (g0 + Q2 * g2), (GQ * Q1) * g1
    return rows((G0 * g0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g2))


@kernel
def _g_transposed(s: Any) -> Any:
    """``Gᵀ·s``: six rows become three."""
    sum_p, odd_p = GP * (row(s, 1) + row(s, 2)), GP * (row(s, 1) - row(s, 2))
    sum_q, odd_q = GQ * (row(s, 3) + row(s, 4)), GQ * (row(s, 3) - row(s, 4))
    first = G0 * row(s, 0) + sum_p + sum_q
    return rows((first, P1 * odd_p + Q1 * odd_q, P2 * sum_p + Q2 * sum_q + row(s, 5)))


@kernel
def filters_forward(queue: Array, w: Array, flip: bool, u: Array) -> None:
    """Write ``G·g·Gᵀ`` of the filters (F, C, 3, 3) into ``u`` (36, C, F), filled up with zeros.

    With ``flip``, those of the adjoint, and F and C exchanged. A task is one channel of u.
    """
    _, deep, wide = u.shape
    flat_u, g = u.reshape(u.size), np.zeros(9 * wide, dtype=np.float32)
    for c in share(queue):
        for f in range(w.shape[1] if flip else w.shape[0]):
            for i in range(3):
                for j in range(3):
                    g[(3 * i + j) * wide + f] = w[c, f, 2 - i, 2 - j] if flip else w[f, c, i, j]
        for f in range(0, wide, LANES):
            t = load(3, 3, g, f, 3 * wide, wide)
            t = turned(_g(turned(_g(t))))
            scatter(t, flat_u, c * wide + f, PATCH * deep * wide, deep * wide)


@kernel
def filters_back(queue: Array, du: Array, dw: Array) -> None:
    """Write ``Gᵀ·[Σ du]·G`` of the chunks' ``du`` (chunks, C, 36, F) into ``dw`` (F, C, 3, 3).

    A task is one channel.
    """
    chunks, _, _, wide = du.shape
    total, g = np.empty(PLACES * wide, dtype=np.float32), np.empty(9 * wide, dtype=np.float32)
    for c in share(queue):
        total[:] = du[0, c].reshape(PLACES * wide)
        for chunk in range(1, chunks):
            total += du[chunk, c].reshape(PLACES * wide)
        for f in range(0, wide, LANES):
            t = load(PATCH, PATCH, total, f, PATCH * wide, wide)
            scatter(turned(_g_transposed(turned(_g_transposed(t)))), g, f, 3 * wide, wide)
        for f in range(len(dw)):
            for i in range(3):
                for j in range(3):
                    dw[f, c, i, j] = g[(3 * i + j) * wide + f]
