"""Filters transformed for `pellucid.kernels.convolution.winograd`, and gradients back.

C-contiguous float32 arrays. A task is a channel.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import flat, load, load_within, scatter, store_within, transpose, transpose_lanes
from ..tree import add_chunks
from .winograd_transforms import PATCH, PLACES, scaled, values, values_transposed

__all__ = ["transform", "transform_back"]


@inlined
def _turn(x: Array, i: int, step: int, y: Array, width: int, rows: int, columns: int) -> None:
    """Write rows ``x[i + r·step : + columns]`` as columns, ``y[k·width + r]``."""
    for r in range(0, rows, LANES):
        for k in range(0, columns, LANES):
            t = load_within(LANES, 1, x, i + r * step + k, step, 0, rows - r, 1, columns - k)
            store_within(transpose_lanes(t), y, k * width + r, width, 0, columns - k, 1, LANES)


@cache
def transform(side: int) -> Any:
    """Return the kernel for filters of ``side`` x ``side``."""
    cells_of_filter, g_times = side * side, values(side)

    @kernel
    def transform_filters(queue: Array, w: Array, flip: bool, u: Array) -> None:
        """Write ``G·g·Gᵀ`` of the filters (F, C/groups, side, side) into ``u``.

        ``u`` is (groups, 36, C/groups, F/groups), with zeros after them. With ``flip``,
        it has those of the adjoint, with F and C exchanged.
        """
        groups, _, depth, width = u.shape
        flat_w, flat_u = flat(w), flat(u)
        cells = np.zeros(cells_of_filter * width, dtype=np.float32)
        channels, filters = w.shape[1], len(w) // groups
        size, turn, first = w.shape[1] * cells_of_filter, 1, 0
        if flip:
            channels, filters = filters, channels
            size, turn, first = cells_of_filter, -1, (cells_of_filter - 1) * width
        for task in share(queue):
            g, c = task // channels, task % channels
            begin = task * w.shape[1] if flip else g * filters * w.shape[1] + c
            _turn(flat_w, begin * cells_of_filter, size, cells, width, filters, cells_of_filter)
            to = (g * PLACES * depth + c) * width
            for f in range(0, width, LANES):
                t = load(side, side, cells, first + f, turn * side * width, turn * width)
                t = transpose(scaled(g_times(transpose(scaled(g_times(t))))))
                scatter(t, flat_u, to + f, PATCH * depth * width, depth * width)

    return transform_filters


@cache
def transform_back(side: int) -> Any:
    """Return the kernel for the gradients of filters of ``side`` x ``side``."""
    cells_of_filter, g_transposed = side * side, values_transposed(side)

    @kernel
    def transform_gradients(queue: Array, du: Array, dw: Array) -> None:
        """Write ``Σ Gᵀ·du·G`` of the chunks' ``du`` into ``dw`` (F, C/groups, side, side).

        ``du`` is (chunks, groups, C/groups, 36, F/groups). Each chunk is transformed by itself, in
        place, and so that ranks can go on adding (see `pellucid.kernels.tree`).
        """
        chunks, groups, depth, _, width = du.shape
        size, flat_du = PLACES * width, flat(du)
        sums = du.reshape(chunks, groups * depth * size)
        channels, filters = dw.shape[1], len(dw) // groups
        for task in share(queue):
            g, c = task // channels, task % channels
            first = (g * depth + c) * size
            for chunk in range(chunks):
                for f in range(0, width, LANES):
                    at = chunk * groups * depth * size + first + f
                    t = load(PATCH, PATCH, flat_du, at, PATCH * width, width)
                    t = transpose(g_transposed(scaled(t)))
                    t = transpose(g_transposed(scaled(t)))
                    scatter(t, flat_du, at, side * width, width)
            add_chunks(sums, first, first + cells_of_filter * width)
            for f in range(filters):
                for i in range(side):
                    for j in range(side):
                        value = sums[0, first + (side * i + j) * width + f]
                        dw[g * filters + f, c, i, j] = value

    return transform_gradients
