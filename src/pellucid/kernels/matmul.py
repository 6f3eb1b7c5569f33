"""Matrix products: the twin of `pellucid.ops.linear`, to 1e-5 relative in float32.

    linear      y[n,f] = b[f] + Σ_k x[n,k] · w[f,k]

    gradients   dw[f,k] = Σ_n dz[n,f] · x[n,k]       db[f] = Σ_n dz[n,f]
                dx[n,k] = Σ_f dz[n,f] · w[f,k]       dz[n,f] = dy[n,f], where the ReLU let y through

The sums of a tile stay in registers. Forward, the vectors run along k, the contiguous axis of x and
w: a sum is spread over the lanes of its own vector, and its lanes are added up at the end.
Backward, they run along k too, which is then an axis of the output. So no matrix is transposed.

All arrays are flat, float32, C-contiguous, allocated by the engine. A task is a block of the output
(forward), or some columns of dw or of dx, and no other task writes to it. The sums over the images
are pairwise trees over chunks (`pellucid.kernels.tree`), and those along k do not depend on the
number of images: the bits depend neither on the threads nor on the processes that share the images.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..typing import Array
from .convolution.layout import LINE, aligned
from .jit import LANES, kernel
from .pool.threads import share
from .simd import (
    add_in_order,
    add_row,
    flat,
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
from .tree import add_chunks

__all__ = ["PANEL", "LinearGradients", "MaskedGradient", "gradients", "linear"]

# Numbers of a row at a time: 4 KiB of each row in a tile of w stay in the L1 cache. Weights that no
# cache holds are read in longer runs.
NEAR, LONG, LARGE = 1024, 4096, 2**22
VECTORS = 2  # of columns in a tile of dw or dx: more would fill the L1 cache
PANEL = VECTORS * LANES


@cache
def linear(height: int, width: int) -> Any:
    """Return the kernel for tiles of ``height`` rows of x x ``width`` rows of w."""

    @kernel
    def tile(x: Array, at: int, w: Array, begin: int, depth: int, count: int) -> Any:
        """Return the sums over ``count`` numbers of a row, from ``at`` and ``begin`` on."""
        t, whole = zeros(height, width), count - count % LANES
        for k in range(0, whole, LANES):
            t = inner(t, x, at + k, depth, w, begin + k, depth)
        if whole < count:
            t = inner_first(t, x, at + whole, depth, w, begin + whole, depth, count - whole)
        return lane_sums(t)

    @kernel
    def multiply(
        queue: Array, x: Array, w: Array, b: Array, y: Array, down: int, across: int, rectify: bool
    ) -> None:
        """Write ``y = x·wᵀ + b``, or its ReLU if ``rectify``.

        A task is one of ``down · across`` blocks. x has at least ``height`` rows, and w at least
        ``width``: the last tile may overlap the one before it, which must belong to the same task.
        Each block therefore spans at least two tiles per axis (if there are two).
        """
        columns = len(b)
        depth = w.size // columns
        rows = x.size // depth
        high, wide = -(-rows // height), -(-columns // width)
        blocks = -(-depth // (LONG if w.size >= LARGE else NEAR))
        # Numbers of w that only one tile needs are read once: whole rows are the fastest.
        sweeps, together = (blocks, 1) if high > 1 else (1, blocks)
        deep = -(-depth // (blocks * LANES)) * LANES
        shift = np.zeros(columns + LANES, dtype=np.float32)
        for f in range(columns):  # an assignment to a slice takes a second more to compile
            shift[f] = b[f]
        # The partial sums of each tile: a row takes a vector, of which the first ones are used.
        tiles = (-(-high // down)) * (-(-wide // across)) if blocks > 1 else 0
        partial = aligned(np.empty(tiles * height * LANES + LINE, dtype=np.float32))
        for task in share(queue):
            i, j = task % down, task // down
            for sweep in range(sweeps):
                at = 0
                for g in range(j * wide // across, (j + 1) * wide // across):
                    f = min(g * width, columns - width)
                    for m in range(i * high // down, (i + 1) * high // down):
                        n = min(m * height, rows - height)
                        for block in range(sweep * together, (sweep + 1) * together):
                            begin = min(depth, block * deep)
                            count = min(depth - begin, deep)
                            z = tile(x, n * depth + begin, w, f * depth + begin, depth, count)
                            if block == 0:
                                z = add_row(z, shift, f)
                            else:
                                z = z + load(height, 1, partial, at, LANES, 0)
                            last = block == blocks - 1
                            if last and rectify:
                                z = relu(z)
                            if last:
                                store_first(z, y, n * columns + f, columns, width)
                            else:
                                store(z, partial, at, LANES)
                        at += height * LANES

    return multiply


class MaskedGradient(NamedTuple):
    """The output gradient (N, F), flat; if ``masked``, 0 where the output y is not above 0."""

    dy: Array
    y: Array
    masked: bool


class LinearGradients(NamedTuple):
    """Where the gradients go: dw (F·K,), db (F,) and dx (N·K,)."""

    dw: Array
    db: Array
    dx: Array


@cache
def gradients(height: int) -> Any:
    """Return the kernel for tiles of ``height`` rows of dw or dx."""
    size = height * PANEL

    @kernel
    def tile(t: Any, dz: Array, at: int, down: int, along: int, near: Array, terms: Any) -> Any:
        """Return ``t[r] + Σ_i dz[at + r·down + i·along] · near[i]`` for i in ``terms``."""
        begin, end = terms
        for i in range(begin, end):
            t = outer(t, dz, at + i * along, down, near, i * PANEL)
        return t

    @kernel
    def weight_panel(
        dz: Array, near: Array, bounds: Array, sums: Array, work: Any, out: Array, at: int
    ) -> None:
        """Write the columns of dw whose inputs ``near`` holds: each tile a tree over the chunks.

        ``sums`` keeps one sum for each level of the tree, until its neighbour is computed.
        """
        _, pitch, rows, depth, count = work
        chunks = len(bounds) - 1
        for m in range(0, rows, height):
            t = zeros(height, VECTORS)
            for chunk in range(chunks):
                terms = bounds[chunk], bounds[chunk + 1]
                t = tile(zeros(height, VECTORS), dz, m, 1, pitch, near, terms)
                level, waits = 0, chunk
                while waits & 1:
                    t = add_in_order(load(height, VECTORS, sums, level * size, PANEL, LANES), t)
                    level, waits = level + 1, waits >> 1
                if chunk + 1 < chunks:
                    store(t, sums, level * size, PANEL)
            store_rows(t, out, m * depth + at, depth, rows - m, count)

    @kernel
    def input_panel(dz: Array, near: Array, work: Any, out: Array, at: int) -> None:
        """Write the columns of dx whose weights ``near`` holds."""
        images, pitch, terms, depth, count = work
        for m in range(0, images, height):
            t = tile(zeros(height, VECTORS), dz, m * pitch, pitch, 1, near, (0, terms))
            store_rows(t, out, m * depth + at, depth, images - m, count)

    @kernel
    def few_images_panel(dz: Array, w: Array, work: Any, out: Array, at: int) -> None:
        """Write some columns of dx for one tile of images, which reads each row of w once."""
        images, pitch, terms, depth, count = work
        t = zeros(height, VECTORS)
        for i in range(terms):
            t = outer(t, dz, i, pitch, w, i * depth + at)
        store_rows(t, out, at, depth, images, count)

    @kernel
    def multiply(
        queue: Array, dy: MaskedGradient, x: Array, w: Array, out: LinearGradients, pieces: int,
        bounds: Array, weights: bool, few: bool,
    ) -> None:  # fmt: skip
        """Write dw and db, if these ``weights`` learn, and then dx.

        A task is one of the ``pieces`` of dw or of dx. The sums over the images are trees over the
        chunks between ``bounds`` (`pellucid.kernels.tree`). If the images are ``few``, one tile
        holds them.
        """
        dw, db, dx = out  # here: within a loop each costs a count of its references
        columns = len(db)
        depth = w.size // columns
        images = x.size // depth
        panels = -(-depth // PANEL)
        pitch = -(-columns // LANES) * LANES
        # Every thread computes dz for itself, padded for tiles that read past its end.
        dz = np.empty((images + height) * pitch, dtype=np.float32)
        sum_dz = np.empty((len(bounds) - 1, pitch), dtype=np.float32)
        _mask(dy, dz, sum_dz, bounds, columns)
        add_chunks(sum_dz, 0, columns)
        near = aligned(np.empty(max(images, columns) * PANEL + LINE, dtype=np.float32))
        sums = aligned(np.empty(len(bounds) * size + LINE, dtype=np.float32))
        for task in share(queue):
            of_weights = weights and task < pieces
            if weights and task == 0:
                for f in range(columns):
                    db[f] = sum_dz[0, f]
            piece = task % pieces
            for p in range(piece * panels // pieces, (piece + 1) * panels // pieces):
                at = p * PANEL
                count = min(PANEL, depth - at)
                work = images, pitch, columns, depth, count
                if of_weights:
                    _copy_columns(x, at, depth, count, near, images)
                    weight_panel(dz, near, bounds, sums, work, dw, at)
                elif few and count == PANEL:
                    few_images_panel(dz, w, work, dx, at)
                else:
                    _copy_columns(w, at, depth, count, near, columns)
                    input_panel(dz, near, work, dx, at)

    return multiply


@kernel
def _mask(dy: MaskedGradient, dz: Array, sums: Array, bounds: Array, columns: int) -> None:
    """Write dz (images, pitch), padded with zeros, and its sum over each chunk of images."""
    (source, y, masked), (chunks, pitch) = dy, sums.shape
    all_sums = flat(sums)
    for f in range(0, columns, LANES):
        count = min(LANES, columns - f)
        for chunk in range(chunks):
            total = zeros(1, 1)
            for n in range(bounds[chunk], bounds[chunk + 1]):
                u = load_part(source, n * columns + f, count)
                if masked:
                    u = where_above_zero(u, load_part(y, n * columns + f, count), np.float32(0))
                store(u, dz, n * pitch + f, 0)
                total = total + u
            store(total, all_sums, chunk * pitch + f, 0)


@kernel
def _copy_columns(a: Array, at: int, pitch: int, count: int, near: Array, rows: int) -> None:
    """Pack the columns ``at`` to ``at + count`` of ``a``, padded to `PANEL`, for all tiles."""
    for i in range(rows):
        for v in range(0, PANEL, LANES):
            u = load_part(a, i * pitch + at + v, max(0, min(LANES, count - v)))
            store(u, near, i * PANEL + v, 0)
