"""Winograd's gradient of many filters of many channels, whose sums would not fit the caches.

The sums of products of a chunk of images, (C, 36, F), are four times as many numbers as the
filters. Here nobody writes them. The patches of all images and of the gradient are transformed
first, into panels (`pellucid.kernels.convolution.panels`). A task is a panel of channels and a
panel of filters. Of a few channels at a time it makes the sums of all 36 places, in the nearest
cache, and transforms them back at once, chunk after chunk.

What it has of the chunks, 9 numbers for 36, it adds up as a binary counter counts: as soon as two
nodes of the tree (`pellucid.kernels.tree`) are neighbours, they become one. So there are never more
than a few nodes, and only the gradient itself is written, once.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import load, scatter, store, transpose, zeros
from ..tree import add_chunks
from .arguments import PartialSums
from .layout import LINE, GatedGradient, aligned
from .panels import HEIGHT, PART, VECTORS, WIDTH, Panels, transpose_part
from .patches import Block, Patches, cut_gradients, cut_images
from .tiles import tile_tn
from .winograd_transforms import PATCH, PLACES, scaled, values_transposed

__all__ = ["NUMBERS", "add_nodes", "backward_weights", "transform_both"]

TILE = HEIGHT * WIDTH
NUMBERS = 2**14  # of a gradient that a task adds up


@cache
def transform_both(outputs: int) -> Any:
    """Return the kernel that writes the transformed patches of images and of a gradient."""
    cut, cut_outputs, overlap = cut_images(outputs), cut_gradients(outputs), PATCH - outputs

    @kernel
    def transform(
        queue: Array, x: GatedGradient, dy: GatedGradient, v: Array, m: Array, sums: PartialSums,
        s: Patches, d: Patches, panels: Panels,
    ) -> None:  # fmt: skip
        """Write ``v`` of a chunk of images, or ``m`` and the sums of its gradient.

        A task does so for a part of the channels, or of the filters.
        """
        (_, all_bias, bounds), plane = sums, panels.plane
        of_images, of_filters = (s.c + PART - 1) // PART, (d.c + PART - 1) // PART
        line = (s.across * outputs + overlap) * PATCH * LANES
        strip = aligned(np.empty(line + LINE, dtype=np.float32))
        patches = s.step_h * s.step_w * s.down * s.across  # of an image
        for task in share(queue):
            chunk, part = task // (of_images + of_filters), task % (of_images + of_filters)
            first, last = bounds[chunk] * patches, bounds[chunk + 1] * patches
            c = (part if part < of_images else part - of_images) * PART
            to = c // WIDTH * PLACES * plane + first * WIDTH
            if part < of_images:
                block = Block(c, min(PART, s.c - c), first, last)
                cut(x, s, block, strip, v[to:], plane, strip, 0)
            else:
                bias = all_bias[chunk, c : c + PART]
                block = Block(c, min(PART, d.c - c), first, last)
                bias[:] = 0
                cut_outputs(dy, d, block, strip, m[to:], plane, bias, 0)

    return transform


@cache
def backward_weights(outputs: int) -> Any:
    """Return the kernel for ``outputs`` x ``outputs`` of a patch."""
    side = PATCH + 1 - outputs
    cells, transform_back = side * side, _transform_back(side)

    @kernel
    def accumulate(
        queue: Array, v: Array, m: Array, bounds: Array, s: Patches, panels: Panels, dw: Array
    ) -> None:
        """Write ``dw`` (F, C, side, side): the node of the tree over all chunks at hand."""
        flat, plane, chunks = dw.reshape(dw.size), panels.plane, len(bounds) - 1
        patches = s.step_h * s.step_w * s.down * s.across
        size, blocks, levels = WIDTH * cells * WIDTH, (s.c + WIDTH - 1) // WIDTH, 1
        while 1 << levels <= chunks:
            levels += 1
        du = aligned(np.empty(PLACES * TILE + LINE, dtype=np.float32))
        nodes = aligned(np.empty(levels * size + LINE, dtype=np.float32))
        for task in share(queue):
            first, f, top = task % blocks * WIDTH, task // blocks * WIDTH, 0
            for chunk in range(chunks):
                begin, end = bounds[chunk] * patches, bounds[chunk + 1] * patches
                # The sums of the second chunk of a pair go to the node of the first.
                adds = chunk % 2 if begin < end else 0
                if begin == end:
                    nodes[top * size : (top + 1) * size] = 0
                else:
                    for c in range(0, min(WIDTH, s.c - first), HEIGHT):
                        at = (first * PLACES * plane) // WIDTH + begin * WIDTH + c
                        of_filters = (f * PLACES * plane) // WIDTH + begin * WIDTH
                        _multiply(v, at, m, of_filters, end - begin, plane, du)
                        transform_back(du, nodes, (top - adds) * size + c * cells * WIDTH, adds)
                top, complete = top + 1 - adds, (chunk + 1) >> adds
                while complete % 2 == 0:
                    _add_next(nodes, (top - 2) * size, size)
                    top, complete = top - 1, complete // 2
            rows, pitch = min(WIDTH, s.c - first) * cells, s.c * cells
            count, to = min(WIDTH, s.f - f), f * pitch + first * cells
            for r in range(0, rows, LANES):
                some = min(LANES, rows - r)
                transpose_part(nodes, r * WIDTH, WIDTH, some, count, flat, to + r, pitch)

    return accumulate


@kernel
def _multiply(v: Array, i: int, m: Array, j: int, count: int, plane: int, du: Array) -> None:
    """Write the sums over ``count`` patches into ``du`` (36, `HEIGHT`, W)."""
    for k in range(PLACES):
        t = zeros(HEIGHT, VECTORS)
        t = tile_tn(t, v, i + k * plane, WIDTH, m, j + k * plane, WIDTH, count)
        store(t, du, k * TILE, WIDTH)


def _transform_back(side: int) -> Any:
    """Return the kernel that transforms the sums of a few channels back."""
    g_transposed, cells = values_transposed(side), side * side

    @kernel
    def transform_sums(du: Array, node: Array, to: int, adds: int) -> None:
        """Write ``Gᵀ·du·G`` of `HEIGHT` channels into ``node``, or add it.

        There are rows of W for each cell of each channel.
        """
        for c in range(HEIGHT):
            for f in range(0, WIDTH, LANES):
                t = load(PATCH, PATCH, du, c * WIDTH + f, PATCH * TILE, TILE)
                t = transpose(g_transposed(scaled(t)))
                t = transpose(g_transposed(scaled(t)))
                at = to + c * cells * WIDTH + f
                if adds:
                    t = load(side, side, node, at, side * WIDTH, WIDTH) + t
                scatter(t, node, at, side * WIDTH, WIDTH)

    return transform_sums


@kernel
def _add_next(nodes: Array, left: int, size: int) -> None:
    """Add to the node at ``left`` the one after it."""
    a, b = nodes[left : left + size], nodes[left + size : left + 2 * size]
    for k in range(size):
        a[k] += b[k]


@kernel
def add_nodes(queue: Array, nodes: Array, dw: Array) -> None:
    """Write the tree's sum of the ``nodes`` (parts, numbers) into ``dw`` (numbers,)."""
    for task in share(queue):
        first, last = task * NUMBERS, min((task + 1) * NUMBERS, len(dw))
        add_chunks(nodes, first, last)
        for k in range(first, last):
            dw[k] = nodes[0, k]
