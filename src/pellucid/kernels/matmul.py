"""Matrix products: the twin of `pellucid.ops.linear`, to 1e-5 relative in float32.

    by_columns   y[n,f] = b[f] + Σ_k x[n,k] · w[f,k]   for a batch: w is turned, block by block
    by_dots      the same for a few rows of x: w is read once, along its rows
    product      y[m,n] = Σ_k a[m,k] · b[k,n]          a lies either way round; b is read in rows

The sums of a tile stay in registers. All arrays are float32, C-contiguous, allocated by the engine;
those that tiles reach into are flat. A task is a block of the output, or of the sum over k, which
it writes whole; so the bits do not depend on the threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..typing import Array
from .jit import LANES, kernel
from .simd import (
    add_rows_from,
    add_sums,
    inner,
    load_part,
    load_within,
    outer,
    store,
    store_first,
    store_within,
    turned_square,
    zeros,
)
from .sliding import LINE, aligned
from .threads import share

__all__ = ["add_parts", "by_columns", "by_dots", "product", "transpose"]

NEAR = 8192  # numbers of w that are turned at a time: 32 KiB, which stay in the nearest cache
DOTS = 4  # rows of w that share one pass over a row of x


@cache
def by_columns(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` rows of x x ``vectors`` of columns of y."""
    panel = vectors * LANES
    most_deep = NEAR // panel

    @kernel
    def multiply(
        queue: Array, x: Array, w: Array, parts: Array, rows: int, columns: int, blocks: int,
        groups: int,
    ) -> None:  # fmt: skip
        """Write the sums over each block of k to ``parts`` (blocks, rows, columns in panels).

        A task is one block, for one of so many ``groups`` of panels.
        """
        pitch = parts.shape[2]
        panels, depth = pitch // panel, x.size // rows
        most = max(rows, height)
        turned = aligned(np.empty((most_deep + LANES) * panel + LINE, dtype=np.float32))
        sums = aligned(np.empty(most * panel + LINE, dtype=np.float32))
        for task in share(queue):
            block, group = task // groups, task % groups
            low, high = block * depth // blocks, (block + 1) * depth // blocks
            for p in range(group * panels // groups, (group + 1) * panels // groups):
                f = p * panel
                sums[:] = 0
                for begin in range(low, high, most_deep):
                    deep = min(most_deep, high - begin)
                    for g in range(0, panel, LANES):
                        for k in range(0, deep, LANES):
                            t = load_within(
                                LANES, 1, w, (f + g) * depth + begin + k, depth, 0,
                                columns - f - g, 1, deep - k,
                            )  # fmt: skip
                            store(turned_square(t), turned, k * panel + g, panel)
                    for over in range(0, rows, height):
                        n = max(0, min(over, rows - height))
                        t = zeros(height, vectors)
                        for k in range(deep):
                            t = outer(t, x, n * depth + begin + k, depth, turned, k * panel)
                        # What the last tile computed again is not added again.
                        add_rows_from(t, sums, n * panel, panel, over - n, panel)
                for n in range(rows):
                    for j in range(panel):
                        parts[block, n, f + j] = sums[n * panel + j]

    return multiply


@kernel
def add_parts(queue: Array, parts: Array, b: Array, y: Array, rectify: bool) -> None:
    """Write ``y = b + Σ parts``, rectified if wished. A task is a row."""
    for n in share(queue):
        for f in range(y.shape[1]):
            total = b[f]
            for block in range(len(parts)):
                total += parts[block, n, f]
            y[n, f] = np.float32(0) if rectify and total < 0 else total


@kernel
def by_dots(
    queue: Array, x: Array, w: Array, b: Array, y: Array, tasks: int, rectify: bool
) -> None:
    """Write ``y = x·wᵀ + b`` row by row, rectified if wished. A task is a range of rows of w."""
    columns = len(b)
    rows, depth = y.size // columns, w.size // columns
    whole = depth - depth % LANES
    for task in share(queue):
        low, high = task * columns // tasks, (task + 1) * columns // tasks
        for n in range(rows):
            for f in range(low, high):
                y[n * columns + f] = b[f]
                for k in range(whole, depth):
                    y[n * columns + f] += x[n * depth + k] * w[f * depth + k]
        f = low
        while f < high:
            many = f + DOTS <= high
            for n in range(rows):
                if many:
                    t = zeros(1, DOTS)
                    for k in range(0, whole, LANES):
                        t = inner(t, x, n * depth + k, 0, w, f * depth + k, depth)
                    add_sums(t, y, n * columns + f, 0)
                else:
                    u = zeros(1, 1)
                    for k in range(0, whole, LANES):
                        u = inner(u, x, n * depth + k, 0, w, f * depth + k, depth)
                    add_sums(u, y, n * columns + f, 0)
            f += DOTS if many else 1
        if rectify:
            for n in range(rows):
                for f in range(low, high):
                    if y[n * columns + f] < 0:
                        y[n * columns + f] = 0


@cache
def product(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` rows x ``vectors`` of columns."""
    panel = vectors * LANES

    @kernel
    def multiply(
        queue: Array, a: Array, down: int, along: int, b: Array, y: Array, rows: int, width: int
    ) -> None:
        """Write ``y`` (rows, width) for ``a[m,k]`` at ``m·down + k·along``. A task is a panel."""
        depth = b.size // width
        near = aligned(np.empty(depth * panel + LINE, dtype=np.float32))
        for task in share(queue):
            n = task * panel
            count = min(panel, width - n)
            # Its rows are far from each other: a copy is soon made, and read again for every tile.
            for k in range(depth):
                for v in range(0, panel, LANES):
                    t = load_part(b, k * width + n + v, max(0, min(LANES, count - v)))
                    store(t, near, k * panel + v, 0)
            for over in range(0, rows, height):
                m = max(0, min(over, rows - height))
                u = zeros(height, vectors)
                for k in range(depth):
                    u = outer(u, a, m * down + k * along, down, near, k * panel)
                store_first(u, y, m * width + n, width, count)

    return multiply


@kernel
def transpose(queue: Array, x: Array, y: Array, rows: int, columns: int) -> None:
    """Write every image's matrix ``x`` (rows, columns) as ``y`` (columns, rows). A task is one."""
    size = rows * columns
    for n in share(queue):
        for i in range(0, rows, LANES):
            for j in range(0, columns, LANES):
                begin = n * size
                t = load_within(
                    LANES, 1, x, begin + i * columns + j, columns, 0, rows - i, 1, columns - j
                )
                store_within(
                    turned_square(t), y, begin + j * rows + i, rows, 0, columns - j, 1, rows - i
                )
