"""Matrix products: the twin of `pellucid.ops.linear`, to 1e-5 relative in float32.

    rows_by_rows   y[m,n] = b[n] + Σ_k x[m,k] · w[n,k]     both read along their rows
    product        y[m,n] = Σ_k a[k,m] · b[k,n]            aᵀ·b, both read in runs

All arrays are float32, C-contiguous, allocated by the engine. Nothing is packed: the sums of a tile
stay in registers, and the tile walks along memory as it lies. Parallel over blocks of the output,
each of which one iteration writes whole; so the bits do not depend on the threads.
"""

from __future__ import annotations

from ..typing import Array
from .jit import LANES, REGISTERS, kernel, parallel_kernel, prange
from .simd import add_sums, inner, outer, store, zeros

__all__ = ["product", "rows_by_rows"]

# Tiles that fill the registers: sums, and what one step reads.
INNER_ROWS, INNER_COLUMNS = (5, 4) if REGISTERS == 32 else (3, 3)
OUTER_ROWS, OUTER_COLUMNS = (12, 2) if REGISTERS == 32 else (6, 2)
PANEL = OUTER_COLUMNS * LANES


@kernel
def _dots(
    x: Array, m: int, rows: int, w: Array, n: int, columns: int, depth: int, y: Array, width: int
) -> None:
    """Add the dot products of some rows of ``x`` and ``w`` into ``y``: a tile, or one by one."""
    whole = depth - depth % LANES
    if rows == INNER_ROWS and columns == INNER_COLUMNS:
        t = zeros(INNER_ROWS, INNER_COLUMNS)
        for k in range(0, whole, LANES):
            t = inner(t, x, m * depth + k, depth, w, n * depth + k, depth)
        add_sums(t, y, m * width + n, width)
    elif columns == INNER_COLUMNS:
        for i in range(m, m + rows):
            s = zeros(1, INNER_COLUMNS)
            for k in range(0, whole, LANES):
                s = inner(s, x, i * depth + k, depth, w, n * depth + k, depth)
            add_sums(s, y, i * width + n, width)
    else:
        for i in range(m, m + rows):
            for j in range(n, n + columns):
                u = zeros(1, 1)
                for k in range(0, whole, LANES):
                    u = inner(u, x, i * depth + k, depth, w, j * depth + k, depth)
                add_sums(u, y, i * width + j, width)
    for i in range(m, m + rows):
        for j in range(n, n + columns):
            for k in range(whole, depth):
                y[i * width + j] += x[i * depth + k] * w[j * depth + k]


@parallel_kernel
def rows_by_rows(x: Array, w: Array, b: Array, y: Array, rectify: bool) -> None:
    """Write ``y = x·wᵀ + b`` for ``x`` (M, K), ``w`` (N, K), ``b`` (N,); rectified if wished."""
    (height, depth), width = x.shape, len(w)
    flat_x, flat_w, flat_y = x.reshape(x.size), w.reshape(w.size), y.reshape(y.size)
    blocks = (width + INNER_COLUMNS - 1) // INNER_COLUMNS
    for block in prange(blocks):
        n = block * INNER_COLUMNS
        columns = min(INNER_COLUMNS, width - n)
        for m in range(height):
            for j in range(n, n + columns):
                y[m, j] = b[j]
        for m in range(0, height, INNER_ROWS):
            rows = min(INNER_ROWS, height - m)
            _dots(flat_x, m, rows, flat_w, n, columns, depth, flat_y, width)
        if rectify:
            for m in range(height):
                for j in range(n, n + columns):
                    if y[m, j] < 0:
                        y[m, j] = 0


@parallel_kernel
def product(a: Array, b: Array, y: Array) -> None:
    """Write ``y = aᵀ·b`` for ``a`` (K, M) and ``b`` (K, N): both are read in runs."""
    (depth, width), height = b.shape, len(y)
    flat_a, flat_b, flat_y = a.reshape(a.size), b.reshape(b.size), y.reshape(y.size)
    for panel in prange((width + PANEL - 1) // PANEL):
        n = panel * PANEL
        if n + PANEL <= width:
            whole = height - height % OUTER_ROWS
            for m in range(0, whole, OUTER_ROWS):
                t = zeros(OUTER_ROWS, OUTER_COLUMNS)
                for k in range(depth):
                    t = outer(t, flat_a, k * height + m, 1, flat_b, k * width + n)
                store(t, flat_y, m * width + n, width)
            for m in range(whole, height):
                s = zeros(1, OUTER_COLUMNS)
                for k in range(depth):
                    s = outer(s, flat_a, k * height + m, 1, flat_b, k * width + n)
                store(s, flat_y, m * width + n, width)
        else:
            for m in range(height):
                y[m, n:] = 0
                for k in range(depth):
                    for j in range(n, width):
                        y[m, j] += a[k, m] * b[k, j]
