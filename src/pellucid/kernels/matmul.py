"""Matrix products: the twin of `pellucid.ops.linear`, to 1e-5 relative in float32.

    linear      y[n,f] = b[f] + Σ_k x[n,k] · w[f,k]

    gradients   dw[f,k] = Σ_n dz[n,f] · x[n,k]       db[f] = Σ_n dz[n,f]
                dx[n,k] = Σ_f dz[n,f] · w[f,k]       dz[n,f] = dy[n,f], where the ReLU let y through

The sums of a tile stay in registers. Forward, the vectors lie along k, as x and w do: a sum is
spread over the lanes of its own vector, and its lanes are added up at the end. Backward, they lie
along k too, which is now what is not summed over. So no matrix is ever turned.

All arrays are flat, float32, C-contiguous, allocated by the engine. A task is a block of the output
(forward), or some columns of dw or of dx, and writes it whole, each sum in one order. So the bits
do not depend on the threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..typing import Array
from .convolution.geometry import LINE, aligned, turn
from .jit import LANES, kernel
from .pool.threads import share
from .simd import (
    add_row,
    inner,
    inner_first,
    lane_sums,
    load,
    load_part,
    outer,
    relu,
    store,
    store_first,
    store_rows,
    where_above_zero,
    zeros,
)

__all__ = ["PANEL", "gradients", "linear", "transpose"]

NEAR = 4096  # numbers of a row at a time, 16 KiB: those of a task's rows stay in a core's own cache
VECTORS = 2  # of columns in a tile of dw or dx: more would fill the nearest cache
PANEL = VECTORS * LANES


@cache
def linear(height: int, width: int) -> Any:
    """Return the kernel for tiles of ``height`` rows of x x ``width`` rows of w."""

    @kernel
    def multiply(
        queue: Array, x: Array, w: Array, b: Array, y: Array, down: int, across: int, rectify: bool
    ) -> None:
        """Write ``y = x·wᵀ + b``, rectified if wished. A task is one of ``down · across`` blocks.

        x has ``height`` rows at least, w ``width``: the last tile may lie over the one before it,
        which must be of the same task. So a block has two tiles each way, if there are two.
        """
        columns = len(b)
        depth = w.size // columns
        rows = x.size // depth
        high, wide = -(-rows // height), -(-columns // width)
        # What one tile alone multiplies with is read once, and best from end to end.
        blocks = -(-depth // NEAR) if high > 1 else 1
        deep = -(-depth // (blocks * LANES)) * LANES
        shift = np.zeros(columns + LANES, dtype=np.float32)
        shift[:columns] = b
        # The sums so far, tile by tile: a few of them at the beginning of each row's vector.
        tiles = (-(-high // down)) * (-(-wide // across)) if blocks > 1 else 0
        so_far = aligned(np.empty(tiles * height * LANES + LINE, dtype=np.float32))
        for task in share(queue):
            i, j = task % down, task // down
            for block in range(blocks):
                begin = min(depth, block * deep)
                end = min(depth, begin + deep)
                whole = end - (end - begin) % LANES
                at = 0
                for g in range(j * wide // across, (j + 1) * wide // across):
                    f = min(g * width, columns - width)
                    for m in range(i * high // down, (i + 1) * high // down):
                        n = min(m * height, rows - height)
                        t = zeros(height, width)
                        for k in range(begin, whole, LANES):
                            t = inner(t, x, n * depth + k, depth, w, f * depth + k, depth)
                        if whole < end:
                            t = inner_first(
                                t, x, n * depth + whole, depth, w, f * depth + whole, depth,
                                end - whole,
                            )  # fmt: skip
                        z = lane_sums(t)
                        if block == 0:
                            z = add_row(z, shift, f)
                        else:
                            z = z + load(height, 1, so_far, at, LANES, 0)
                        if block < blocks - 1:
                            store(z, so_far, at, LANES)
                        else:
                            if rectify:
                                z = relu(z)
                            store_first(z, y, n * columns + f, columns, width)
                        at += height * LANES

    return multiply


@cache
def gradients(height: int) -> Any:
    """Return the kernel for tiles of ``height`` rows of dw or dx."""

    @kernel
    def multiply(
        queue: Array, dy: Array, y: Array, x: Array, w: Array, dw: Array, db: Array, dx: Array,
        pieces: int, weights: bool, rectified: bool,
    ) -> None:  # fmt: skip
        """Write dw and db, if these ``weights`` learn, and then dx.

        A task is one of the ``pieces`` of dw or of dx.
        """
        columns = len(db)
        depth = w.size // columns
        images = x.size // depth
        panels = -(-depth // PANEL)
        # Every thread makes dz for itself, with room for what tiles read beyond it.
        pitch = -(-columns // LANES) * LANES
        dz = np.empty((images + height) * pitch, dtype=np.float32)
        sum_dz = np.empty(pitch, dtype=np.float32)
        for f in range(0, columns, LANES):
            here, total = min(LANES, columns - f), zeros(1, 1)
            for n in range(images):
                u = load_part(dy, n * columns + f, here)
                if rectified:
                    u = where_above_zero(u, load_part(y, n * columns + f, here), np.float32(0))
                store(u, dz, n * pitch + f, 0)
                total = total + u
            store(total, sum_dz, f, 0)
        near = aligned(np.empty(max(images, columns) * PANEL + LINE, dtype=np.float32))
        for task in share(queue):
            if weights and task == 0:
                db[:] = sum_dz[:columns]
            piece = task % pieces
            if weights and task < pieces:
                down, along, b, out, rows, terms = 1, pitch, x, dw, columns, images
            else:
                down, along, b, out, rows, terms = pitch, 1, w, dx, images, columns
            for p in range(piece * panels // pieces, (piece + 1) * panels // pieces):
                k = p * PANEL
                count = min(PANEL, depth - k)
                for m in range(0, rows, height):
                    t = zeros(height, VECTORS)
                    if m == 0:
                        # Rows of b are far from each other: they are copied for the other tiles.
                        for i in range(terms):
                            for v in range(0, PANEL, LANES):
                                u = load_part(b, i * depth + k + v, max(0, min(LANES, count - v)))
                                store(u, near, i * PANEL + v, 0)
                            t = outer(t, dz, i * along, down, near, i * PANEL)
                    else:
                        for i in range(terms):
                            t = outer(t, dz, m * down + i * along, down, near, i * PANEL)
                    store_rows(t, out, m * depth + k, depth, rows - m, count)

    return multiply


@kernel
def transpose(queue: Array, x: Array, y: Array, rows: int, columns: int) -> None:
    """Write every image's matrix ``x`` (rows, columns) as ``y`` (columns, rows). A task is one."""
    size = rows * columns
    for n in share(queue):
        turn(x, n * size, rows, columns, y, n * size, rows)
