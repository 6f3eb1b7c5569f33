"""Convolution with stride 1 by Winograd's algorithm: 36 products for a patch of 6x6 pixels.

Lavin & Gray 2015, "Fast algorithms for convolutional neural networks", section 4. The image is cut
into patches d of 6x6 pixels; each makes m x m outputs of a filter g of (7 - m) x (7 - m): 16 of one
of 3x3, which usually take 144 products, or 4 of one of 5x5, which take 100.

    y = Aᵀ · [(G·g·Gᵀ) ⊙ (Bᵀ·d·B)] · A

Between the transforms stand 36 matrix products, one for each place k of a patch, over the channels:

    m[k, patch, f] = Σ_c v[k, patch, c] · u[k, c, f]       v = Bᵀ·d·B, u = G·g·Gᵀ

The gradient of the filters is the transpose of it: dg = Gᵀ · [Σ_patch v ⊙ (A·dz·Aᵀ)] · G. The
gradient for the image is the convolution of dz with the flipped filters.

v, m and u lie place by place. A line between two places (of u, a row of filters) keeps those of one
patch or filter, which a transform writes or reads together, from falling into the same set of the
nearest cache. A block of patches may be of several images. A task is such a block, or a chunk of
images (weight gradient), for a group of channels, and writes to places of its own. With many
channels, whose products take much longer than the transforms, it is a third of a chunk's places.

While the products of a block run, the pixels of the next one are fetched, and the lines that its
own outputs are written to: the hardware does not foresee the rows of a patch.

For the arrays see `pellucid.kernels.convolution.direct`, whose twin this is, to 1e-5 as well; for
the patches, `pellucid.kernels.convolution.patches`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import add_rows_from, store, zeros
from .arguments import Output, PartialSums
from .layout import LINE, GatedGradient, aligned
from .patches import (
    Block,
    Patches,
    cut_gradients,
    cut_images,
    fetch_outputs,
    fetch_pixels,
    part_of,
    place_of,
    write,
)
from .tiles import tile_nn, tile_tn
from .winograd_transforms import PATCH, PLACES

__all__ = ["backward_weights", "forward"]

PER_FETCH = 2  # places whose products run while a part of the next block is fetched
PARTS = PLACES // PER_FETCH


@cache
def forward(height: int, vectors: int, outputs: int, pool: int) -> Any:
    """Return the kernel for tiles of ``height`` patches x ``vectors`` of filters.

    A patch makes ``outputs`` x ``outputs``, and ``pool`` is 1, or 2 for the largest of each 2x2.
    """
    tile_width, overlap = vectors * LANES, PATCH - outputs
    cut, write_outputs = cut_images(outputs), write(outputs, pool)

    @kernel
    def convolve(
        queue: Array, source: GatedGradient, filters: Array, bias: Array, out: Output, s: Patches,
        per_block: int, rectify: bool,
    ) -> None:  # fmt: skip
        """Write ``out.y``, and with a pooling ``out.argmax``; a task is a block of patches."""
        depth, width = s.depth, len(bias) // s.groups
        channels, count = s.c // s.groups, s.f // s.groups
        images = len(source.numbers) // (s.h * s.w * s.c)
        patches = images * s.step_h * s.step_w * s.down * s.across
        blocks, longest = (patches + per_block - 1) // per_block, max(height, per_block)
        line = (s.across * outputs + overlap) * PATCH * LANES
        strip = aligned(np.empty(line + LINE, dtype=np.float32))
        v_stride, m_stride = longest * depth + LINE, longest * width + LINE
        v = aligned(np.empty(PLACES * v_stride + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * m_stride + LINE, dtype=np.float32))
        before = -1
        for task in share(queue):
            next_first = min(patches, max(0, 2 * task - before) * per_block)
            next_last, before = min(patches, next_first + per_block), task
            g, first = task // blocks, task % blocks * per_block
            last = min(first + per_block, patches)
            block = Block(g * channels, channels, first, last)
            cut(source, s, block, strip, v, v_stride, bias, 0)
            for k in range(PLACES):
                if k % PER_FETCH == 0 and s.groups == 1:
                    fetch_pixels(
                        source, s, outputs, *part_of(next_first, next_last, k // PER_FETCH, PARTS)
                    )
                    fetch_outputs(
                        out.y, s, outputs // pool, *part_of(first, last, k // PER_FETCH, PARTS)
                    )
                for f in range(0, width, tile_width):
                    for q in range(0, last - first, height):
                        p = max(0, min(q, last - first - height))
                        of_place = (g * PLACES + k) * (depth + 1) * width
                        t = tile_nn(
                            zeros(height, vectors), v, k * v_stride + p * depth, depth,
                            filters, of_place + f, width, channels,
                        )  # fmt: skip
                        store(t, m, k * m_stride + p * width + f, width)
            of_group = bias[g * width : (g + 1) * width]
            block = Block(g * count, count, first, last)
            write_outputs(m, m_stride, of_group, s, block, strip, out, rectify)

    return convolve


@cache
def backward_weights(height: int, vectors: int, outputs: int, parts: int) -> Any:
    """Return the kernel for tiles of ``height`` channels x ``vectors`` of filters.

    A patch has ``outputs`` x ``outputs``. Its places are a task's, or in three ``parts``.
    """
    tile_width, overlap, own = vectors * LANES, PATCH - outputs, PLACES // parts
    cut, cut_outputs = cut_images(outputs, parts), cut_gradients(outputs, parts)

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, s: Patches,
        d: Patches, per_block: int,
    ) -> None:  # fmt: skip
        """Write each chunk's sums, ``sums.weights`` as (chunks, groups, C/groups, 36, F/groups)."""
        (all_weights, all_bias, bounds), depth, width = sums, s.depth, d.depth
        patches = s.step_h * s.step_w * s.down * s.across  # of an image
        line = (s.across * outputs + overlap) * PATCH * LANES
        strip = aligned(np.empty(line + LINE, dtype=np.float32))
        v_stride, m_stride = per_block * depth + LINE, per_block * width + LINE
        v = aligned(np.empty(own * v_stride + LINE, dtype=np.float32))
        m = aligned(np.empty(own * m_stride + LINE, dtype=np.float32))
        size, channels, filters = depth * PLACES * width, s.c // s.groups, d.c // s.groups
        for task in share(queue):
            chunk, g, part = task // (s.groups * parts), task // parts % s.groups, task % parts
            weights = all_weights[chunk, g * size : (g + 1) * size]
            bias = all_bias[chunk, g * width : (g + 1) * width]
            begin, end = bounds[chunk] * patches, bounds[chunk + 1] * patches
            if part == 0:
                bias[:] = 0
                if begin == end:
                    weights[:] = 0
            for first in range(begin, end, per_block):
                last = min(first + per_block, end)
                block = Block(g * channels, channels, first, last)
                cut(x, s, block, strip, v, v_stride, bias, part)
                block = Block(g * filters, filters, first, last)
                cut_outputs(dy, d, block, strip, m, m_stride, bias, part)
                next_last = min(last + per_block, bounds[-1] * patches)
                for k in range(own):
                    place = place_of(k, part, parts)
                    if k % PER_FETCH == 0 and s.groups == 1:
                        coming = part_of(last, next_last, k // PER_FETCH, own // PER_FETCH)
                        fetch_pixels(x, s, outputs, coming[0], coming[1])
                        fetch_pixels(dy, d, outputs, coming[0], coming[1])
                    for f in range(0, width, tile_width):
                        for row in range(0, depth, height):
                            c = min(row, depth - height)
                            t = tile_tn(
                                zeros(height, vectors), v, k * v_stride + c, depth,
                                m, k * m_stride + f, width, last - first,
                            )  # fmt: skip
                            to, step = (c * PLACES + place) * width + f, PLACES * width
                            if first == begin:
                                store(t, weights, to, step)
                            else:
                                add_rows_from(t, weights, to, step, row - c, tile_width)

    return accumulate
