"""Products with a matrix as it lies: twin of ``a @ b``, to 1e-5 relative in float32.

    out[m,f] = shift[f] + Σ_i a[m·down + i·along] · b[i,f]

With ``down`` and ``along``, ``a`` may be read as it lies or turned. (`pellucid.kernels.matmul` has
the products of `pellucid.nn.Linear`, whose weights lie the other way round.)

All arrays are flat, float32, C-contiguous, allocated by the caller; ``shift`` is as long as a row
of ``b``. A task is some panels of columns of some rows of ``out``, and writes that block whole,
each sum in one order. So the bits do not depend on the threads. A tile of sums stays in the
registers; the rows of ``b`` that it needs are copied side by side first, for the tiles below it to
read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..typing import Array
from .jit import LANES, REGISTERS, kernel
from .simd import add_row, load, load_part, outer, store, store_first, zeros
from .sliding import LINE, aligned, turn
from .threads import share

__all__ = ["product", "tile_for", "turn_over"]

# Tiles whose sums fit into the registers, with what is multiplied; one vector of columns wastes
# fewer lanes, two need fewer loads.
TALL, WIDE = ((25, 1), (12, 2)) if REGISTERS >= 32 else ((12, 1), (6, 2))
TOGETHER = (
    512  # terms of one sum; sums of those are added up, or rounding would grow with the terms
)
FEW = (4, 1)  # rows, where there are not enough for a whole tile


def tile_for(rows: int, columns: int) -> tuple[int, int]:
    """Return the tile, height x vectors, that covers ``rows`` x ``columns`` the best."""

    def cycles(tile: tuple[int, int]) -> tuple[int, int]:
        height, vectors = tile
        return -(-rows // height) * height * -(-columns // (vectors * LANES)) * vectors, -vectors

    height, vectors = min(TALL, WIDE, key=cycles)
    while height > rows:
        height = next(few for few in FEW if few < height)
    return height, vectors


@cache
def product(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` rows x ``vectors`` of columns of ``out``."""
    panel = vectors * LANES

    @kernel
    def multiply(
        queue: Array, a: Array, down: int, along: int, b: Array, shift: Array, out: Array,
        terms: int, blocks: int, across: int,
    ) -> None:  # fmt: skip
        """Write ``out``, in ``blocks · across`` tasks; there are ``height`` rows in each block."""
        columns = len(shift)
        rows = out.size // columns
        panels = -(-columns // panel)
        near = aligned(np.empty(terms * panel + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * panel + LINE, dtype=np.float32))
        start = np.zeros(panel, dtype=np.float32)
        for task in share(queue):
            block, piece = task % blocks, task // blocks
            low, high = block * rows // blocks, (block + 1) * rows // blocks
            for p in range(piece * panels // across, (piece + 1) * panels // across):
                k = p * panel
                count = min(panel, columns - k)
                start[:count] = shift[k : k + count]
                for i in range(terms):
                    for v in range(0, panel, LANES):
                        u = load_part(b, i * columns + k + v, max(0, min(LANES, count - v)))
                        store(u, near, i * panel + v, 0)
                for tile in range(low, high, height):
                    m = min(tile, high - height)  # the last one reaches back
                    sums[:] = 0
                    for begin in range(0, terms, TOGETHER):
                        t = zeros(height, vectors)
                        for i in range(begin, min(begin + TOGETHER, terms)):
                            t = outer(t, a, m * down + i * along, down, near, i * panel)
                        store(t + load(height, vectors, sums, 0, panel, LANES), sums, 0, panel)
                    t = add_row(load(height, vectors, sums, 0, panel, LANES), start, 0)
                    store_first(t, out, m * columns + k, columns, count)

    return multiply


@kernel
def turn_over(queue: Array, x: Array, y: Array, rows: int, columns: int, tasks: int) -> None:
    """Write the matrix ``x`` (rows, columns), also float64, as ``y`` (columns, rows), float32.

    A task is a band of x.
    """
    near = aligned(np.empty(LANES * columns + LINE, dtype=np.float32))
    for task in share(queue):
        low, high = task * rows // tasks, (task + 1) * rows // tasks
        for r in range(low, high, LANES):
            count = min(LANES, high - r)
            some = x[r * columns : (r + count) * columns]
            for i in range(len(some)):
                near[i] = np.float32(some[i])
            turn(near, 0, count, columns, y, r, rows)
