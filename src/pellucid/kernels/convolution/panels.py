"""Panels of channels, as Winograd's convolution of many channels wants patches and filters.

A panel has W channels, side by side, of all patches or filters: those that a task reads follow each
other in memory, where columns of a wide matrix would fall into a few sets of a cache. Patches at
each of the 36 places, and filters as they are:

    v  (C/W, 36, patches, W)        filters  (F/W, C, cells, W)

A line between two places keeps those of one patch from falling into the same set.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import (
    load,
    load_within,
    prefetch,
    prefetch_row,
    scatter,
    store_within,
    transpose,
    transpose_lanes,
)
from .layout import LINE, GatedGradient, aligned
from .patches import Block, Patches, cut_images
from .winograd_transforms import PATCH, PLACES, scaled, values

__all__ = [
    "HEIGHT",
    "PART",
    "VECTORS",
    "WIDTH",
    "Panels",
    "pack_panels",
    "transform_images",
    "transform_panel",
    "transpose_part",
]

VECTORS = 2  # of a tile
WIDTH = VECTORS * LANES  # of a panel
PART = 2 * WIDTH  # channels that a task transforms
AHEAD = 8  # channels whose filters are fetched before they are transformed
HEIGHT = max(4, LANES // 2)  # of a tile: as many rows as pay for its loads


class Panels(NamedTuple):
    """How patches lie in panels: integers, which Numba takes by value."""

    patches: int
    plane: int  # numbers from place to place
    per_task: int  # patches, or channels

    @classmethod
    def of(cls, patches: int, per_task: int) -> Panels:
        """Return the panels of this number of patches."""
        return cls(patches, patches * WIDTH + LINE, per_task)


@cache
def transform_images(outputs: int) -> Any:
    """Return the kernel that writes the transformed patches of images."""
    cut, overlap = cut_images(outputs), PATCH - outputs

    @kernel
    def transform(
        queue: Array, source: GatedGradient, s: Patches, panels: Panels, v: Array
    ) -> None:
        """Write ``v``; a task is a block of patches, of a part of the channels."""
        line = (s.across * outputs + overlap) * PATCH * LANES
        strip = aligned(np.empty(line + LINE, dtype=np.float32))
        parts = (s.c + PART - 1) // PART
        for task in share(queue):
            first, c = task // parts * panels.per_task, task % parts * PART
            last = min(first + panels.per_task, panels.patches)
            block = Block(c, min(PART, s.c - c), first, last)
            to = c // WIDTH * PLACES * panels.plane + first * WIDTH
            cut(source, s, block, strip, v[to:], panels.plane, strip, 0)

    return transform


@kernel
def pack_panels(queue: Array, w: Array, flip: bool, packed: Array) -> None:
    """Write the filters (F, C, side, side) into panels (F/W, C, side², W), zeros after them.

    With ``flip``, those of the adjoint, with F and C exchanged. A task is a vector of filters, or
    then a channel, so that what it reads follows each other.
    """
    _, depth, cells, width = packed.shape
    flat_w, flat, pitch = w.reshape(w.size), packed.reshape(packed.size), w[0].size
    for task in share(queue):
        if flip:
            for f in range(0, w.shape[1], LANES):
                last = (f // width * depth + task + 1) * cells - 1
                to, at, count = last * width + f % width, task * pitch + f * cells, w.shape[1] - f
                transpose_part(flat_w, at, cells, min(LANES, count), cells, flat, to, -width)
                # What the next task writes to in this panel follows: memory takes long to come.
                for k in range(f % width, cells * width, width):
                    prefetch(flat, (last + 1) * width + k)
                for k in range(at + pitch, at + pitch + LANES * cells, LINE):
                    prefetch_row(1, flat_w, k)
        else:
            f = task * LANES
            to, count = f // width * depth * cells * width + f % width, min(LANES, len(w) - f)
            transpose_part(flat_w, f * pitch, pitch, count, pitch, flat, to, width)


@kernel
def transpose_part(
    x: Array, i: int, p: int, rows: int, columns: int, y: Array, to: int, step: int
) -> None:
    """Write up to `LANES` rows of ``x``, ``p`` apart, as the columns of rows ``step`` apart."""
    for c in range(0, columns, LANES):
        count = min(LANES, columns - c)
        t = load_within(LANES, 1, x, i + c, p, 0, rows, 1, count)
        store_within(transpose_lanes(t), y, to + c * step, step, 0, count, 1, rows)


@cache
def transform_panel(side: int) -> Any:
    """Return the kernel that transforms filters in a panel."""
    cells, g_times = side * side, values(side)

    @kernel
    def transform_some(filters: Array, at: int, channels: int, u: Array, plane: int) -> None:
        """Write ``G·g·Gᵀ`` of the filters of some channels to ``u`` (36, channels, W)."""
        for c in range(channels):
            ahead = at + (c + AHEAD) * cells * WIDTH
            for k in range(ahead, ahead + cells * WIDTH, LINE):
                prefetch_row(1, filters, k)
            for f in range(0, WIDTH, LANES):
                t = load(side, side, filters, at + c * cells * WIDTH + f, side * WIDTH, WIDTH)
                t = transpose(scaled(g_times(transpose(scaled(g_times(t))))))
                scatter(t, u, c * WIDTH + f, PATCH * plane, plane)

    return transform_some
