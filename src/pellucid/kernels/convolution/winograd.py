"""Convolution of 3x3 windows with stride 1 by Winograd's F(4x4, 3x3): 36 products instead of 144.

Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", section 4. The image is cut
into patches d of 6x6 that overlap by two; each makes 4x4 outputs of a filter g:

    y = Aᵀ · [(G·g·Gᵀ) ⊙ (Bᵀ·d·B)] · A

Between the transforms stand 36 matrix products, one for each place k of a patch, over the channels:

    m[k, patch, f] = Σ_c v[k, patch, c] · u[k, c, f]       v = Bᵀ·d·B, u = G·g·Gᵀ

The gradient of the filters is the transpose of it: dg = Gᵀ · [Σ_patch v ⊙ (A·dz·Aᵀ)] · G. The
gradient for the image is the convolution of dz with the flipped filters.

v and m lie place by place. A line between two places keeps those of one patch, which a transform
writes or reads together, from falling into the same set of the nearest cache. No image is copied: a
patch is read where it lies, or made of dy on the way, and a block of patches may be of several
images. A task is such a block, or a chunk of images (weight gradient), and writes to places of its
own.

For the arrays see `pellucid.kernels.convolution.direct`, whose twin this is, to 1e-5 as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    add_rows_from,
    add_vector,
    interleave,
    keep_larger,
    load,
    load_bytes_between,
    load_rows_between,
    relu,
    row,
    store,
    store_bytes_within,
    store_within,
    strided,
    transpose,
    where_above_zero,
    where_equal,
    zeros,
)
from .arguments import Output, PartialSums
from .geometry import Sliding
from .layout import LINE, GatedGradient, aligned, mark_stopped
from .tiles import tile_nn, tile_tn
from .winograd_transforms import OUTPUTS, PATCH, PLACES, a, a_transposed, b_transposed

__all__ = ["backward_weights", "forward"]

ONE, TWO, THREE = np.float32(1), np.float32(2), np.float32(3)


def _patches(side: int, transform: Any) -> Any:
    """Return the kernel that cuts images into squares of ``side``, 4 apart, and transforms them."""
    pairs = side // 2 + 1

    @inlined
    def column_of(x: Array, s: Sliding, n: int, j: int, top: int, c: int) -> Any:
        """Return column ``j`` of the square from row ``top`` on, 0 outside of the image."""
        count, line = min(LANES, s.c - c), s.w * s.c
        first = (n * s.h + top) * line + j * s.c + c
        return load_rows_between(side, x, first, line, -top, s.h - top, count)

    @inlined
    def scattered_column(
        x: Array, argmax: Array, s: Sliding, n: int, j: int, top: int, c: int
    ) -> Any:
        """Return the same of 2x2 pixels for each number, which only the argmax of them has."""
        count, line, half, right = min(LANES, s.c - c), s.w * s.c, top >> 1, np.float32(j & 1)
        first = (n * s.h + half) * line + (j >> 1) * s.c + c
        t = load_rows_between(pairs, x, first, line, -half, s.h - half, count)
        u = load_bytes_between(pairs, argmax, first, line, -half, s.h - half, count)
        upper, lower = where_equal(t, u, right), where_equal(t, u, TWO + right)
        if top & 1:  # noqa: SIM108 - an expression would hide the constants from Numba
            d = interleave(upper, lower, 1, side)
        else:
            d = interleave(upper, lower, 0, side)
        return d

    @kernel
    def cut(
        source: GatedGradient, s: Sliding, first: int, last: int, strip: Array, v: Array,
        plane_stride: int, total: Array,
    ) -> None:  # fmt: skip
        """Write ``T·d·Tᵀ`` of the patches ``first`` to ``last`` of all images into ``v``.

        Patches side by side share the columns of T·d, which wait in ``strip``. A gradient's pixels
        (patches without overlap) are added to ``total``.
        """
        (x, gate, argmax, gated), p = source, first
        down, across = s.rows // OUTPUTS, s.pitch // OUTPUTS
        while p < last:
            n, i, j = p // (down * across), p // across % down, p % across
            run = min(across - j, last - p)
            top, left = OUTPUTS * i - s.top, OUTPUTS * j - s.left
            for c in range(0, s.c, LANES):
                z = zeros(side, 1)
                for column in range(left, left + OUTPUTS * run + side - OUTPUTS):
                    d = zeros(side, 1)  # outside of the image
                    if s.cell == 1 and 0 <= column < s.w:
                        d = column_of(x, s, n, column, top, c)
                        if gated:
                            g = column_of(gate, s, n, column, top, c)
                            d = where_above_zero(d, g, np.float32(0))
                    elif s.cell == 2 and 0 <= column < 2 * s.w:
                        d = scattered_column(x, argmax, s, n, column, top, c)
                    store(transform(d), strip, (column - left) * PATCH * LANES, LANES)
                    z = z + d
                # Each loop holds one column or one row: whole patches would not fit in registers.
                for q in range(run):
                    to = (p - first + q) * s.depth + c
                    for r in range(PATCH):
                        of_row = (q * OUTPUTS * PATCH + r) * LANES
                        t_d = transform(load(side, 1, strip, of_row, PATCH * LANES, 0))
                        store(t_d, v, to + r * PATCH * plane_stride, plane_stride)
                if side == OUTPUTS:
                    pixels = (row(z, 0) + row(z, 1)) + (row(z, 2) + row(z, 3))
                    store(pixels + load(1, 1, total, c, 0, 0), total, c, 0)
            p += run

    return cut


_image_patches = _patches(PATCH, b_transposed)
_gradient_patches = _patches(OUTPUTS, a)


@inlined
def _largest_of_2x2(z: Any, argmax: Any) -> Any:
    """Return the largest of each 2x2 numbers and which it is; ``argmax`` is zeros."""
    best = strided(z, 0, 0)
    best, argmax = keep_larger(best, argmax, strided(z, 0, 1), ONE)
    best, argmax = keep_larger(best, argmax, strided(z, 1, 0), TWO)
    return keep_larger(best, argmax, strided(z, 1, 1), THREE)


@cache
def forward(height: int, vectors: int, pool: int) -> Any:
    """Return the kernel for tiles of ``height`` patches x ``vectors`` of filters.

    ``pool`` is 1, or 2 for the largest of each 2x2 outputs.
    """
    side, tile_width = OUTPUTS // pool, vectors * LANES

    @kernel
    def convolve(
        queue: Array, source: GatedGradient, filters: Array, bias: Array, out: Output, s: Sliding,
        per_block: int, rectify: bool,
    ) -> None:  # fmt: skip
        """Write ``out.y``, and with a pooling ``out.argmax``; a task is a block of patches."""
        (y, argmax), depth, width = out, s.depth, len(bias)
        images = len(source.numbers) // (s.h * s.w * s.c)
        down, across = s.rows // OUTPUTS, s.pitch // OUTPUTS
        longest = max(height, per_block)
        strip = aligned(np.empty(s.pitch * PATCH * LANES + LINE, dtype=np.float32))
        v_stride, m_stride = longest * depth + LINE, longest * width + LINE
        v = aligned(np.empty(PLACES * v_stride + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * m_stride + LINE, dtype=np.float32))
        for task in share(queue):
            first = task * per_block
            last = min(first + per_block, images * down * across)
            _image_patches(source, s, first, last, strip, v, v_stride, bias)
            for k in range(PLACES):
                for f in range(0, width, tile_width):
                    for block in range(0, last - first, height):
                        p = max(0, min(block, last - first - height))
                        t = tile_nn(
                            zeros(height, vectors), v, k * v_stride + p * depth, depth,
                            filters, k * depth * width + f, width, s.c,
                        )  # fmt: skip
                        store(t, m, k * m_stride + p * width + f, width)
            for p in range(first, last):
                n, i, j = p // (down * across), p // across % down * side, p % across * side
                for f in range(0, s.f, LANES):
                    for column in range(PATCH):
                        of_column = column * m_stride + (p - first) * width + f
                        t = load(PATCH, 1, m, of_column, PATCH * m_stride, 0)
                        store(a_transposed(t), strip, column * OUTPUTS * LANES, LANES)
                    count, columns = min(LANES, s.f - f), min(side, s.ow - j)
                    for r in range(min(side, s.oh - i)):
                        t = load(PATCH, pool, strip, r * pool * LANES, OUTPUTS * LANES, LANES)
                        z = transpose(a_transposed(t))
                        to = ((n * s.oh + i + r) * s.ow + j) * s.f + f
                        if pool == 1:
                            best = add_vector(z, bias, f)
                        else:
                            best, which = _largest_of_2x2(z, zeros(1, side))
                            best = add_vector(best, bias, f)
                            which = mark_stopped(which, best, rectify)
                            store_bytes_within(which, argmax, to, 0, s.f, 1, columns, count)
                        if rectify:
                            best = relu(best)
                        store_within(best, y, to, 0, s.f, 1, columns, count)

    return convolve


@cache
def backward_weights(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` channels x ``vectors`` of filters."""
    tile_width = vectors * LANES

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, s: Sliding,
        d: Sliding, per_block: int,
    ) -> None:  # fmt: skip
        """Write each chunk's sums, ``sums.weights`` as (chunks, C, 36, F)."""
        (all_weights, all_bias, bounds), depth, width = sums, s.depth, d.depth
        patches = (s.rows // OUTPUTS) * (s.pitch // OUTPUTS)  # of an image
        strip = aligned(np.empty(s.pitch * PATCH * LANES + LINE, dtype=np.float32))
        v_stride, m_stride = per_block * depth + LINE, per_block * width + LINE
        v = aligned(np.empty(PLACES * v_stride + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * m_stride + LINE, dtype=np.float32))
        for chunk in share(queue):
            weights, bias = all_weights[chunk], all_bias[chunk]
            bias[:] = 0
            begin, end = bounds[chunk] * patches, bounds[chunk + 1] * patches
            if begin == end:
                weights[:] = 0
            for first in range(begin, end, per_block):
                last = min(first + per_block, end)
                _image_patches(x, s, first, last, strip, v, v_stride, bias)
                _gradient_patches(dy, d, first, last, strip, m, m_stride, bias)
                for k in range(PLACES):
                    for f in range(0, width, tile_width):
                        for block in range(0, depth, height):
                            c = min(block, depth - height)
                            t = tile_tn(
                                zeros(height, vectors), v, k * v_stride + c, depth,
                                m, k * m_stride + f, width, last - first,
                            )  # fmt: skip
                            to, step = (c * PLACES + k) * width + f, PLACES * width
                            if first == begin:
                                store(t, weights, to, step)
                            else:
                                add_rows_from(t, weights, to, step, block - c, tile_width)

    return accumulate
