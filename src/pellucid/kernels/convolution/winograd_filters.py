"""Filters of 3x3 transformed for `pellucid.kernels.convolution.winograd`, and gradients back.

C-contiguous float32 arrays. A task is a channel.
"""

from __future__ import annotations

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import load, scatter, transpose
from ..tree import add_chunks
from .winograd_transforms import PATCH, PLACES, g, g_transposed

__all__ = ["transform", "transform_back"]


@kernel
def transform(queue: Array, w: Array, flip: bool, u: Array) -> None:
    """Write ``G·g·Gᵀ`` of the filters (F, C, 3, 3) into ``u`` (36, C, F), padded with zeros.

    With ``flip``, those of the adjoint, with F and C exchanged.
    """
    _, depth, width = u.shape
    flat_u, cells = u.reshape(u.size), np.zeros(9 * width, dtype=np.float32)
    for c in share(queue):
        for f in range(w.shape[1] if flip else w.shape[0]):
            for i in range(3):
                for j in range(3):
                    value = w[c, f, 2 - i, 2 - j] if flip else w[f, c, i, j]
                    cells[(3 * i + j) * width + f] = value
        for f in range(0, width, LANES):
            t = load(3, 3, cells, f, 3 * width, width)
            t = transpose(g(transpose(g(t))))
            scatter(t, flat_u, c * width + f, PATCH * depth * width, depth * width)


@kernel
def transform_back(queue: Array, du: Array, dw: Array) -> None:
    """Write ``Σ Gᵀ·du·G`` of the chunks' ``du`` (chunks, C, 36, F) into ``dw`` (F, C, 3, 3).

    Each chunk is transformed by itself, in place, and so that ranks can go on adding (see
    `pellucid.kernels.tree`).
    """
    chunks, channels, _, width = du.shape
    size, flat_du = PLACES * width, du.reshape(du.size)
    sums = du.reshape(chunks, channels * size)
    for c in share(queue):
        for chunk in range(chunks):
            for f in range(0, width, LANES):
                first = (chunk * channels + c) * size + f
                t = load(PATCH, PATCH, flat_du, first, PATCH * width, width)
                t = transpose(g_transposed(transpose(g_transposed(t))))
                scatter(t, flat_du, first, 3 * width, width)
        add_chunks(sums, c * size, c * size + 9 * width)
        for f in range(len(dw)):
            for i in range(3):
                for j in range(3):
                    dw[f, c, i, j] = sums[0, c * size + (3 * i + j) * width + f]
