"""The gradients of a linear layer for a single row: the twin of `pellucid.ops.linear`, to 1e-5.

    dw[f,k] = dz[f] · x[k]        db = dz        dx[k] = Σ_f dz[f] · w[f,k]

Each number of w and dw is needed once, so that all there is to do is to read and write them in long
runs: dw row by row, and of w `TOGETHER` rows side by side, whose sums stay in registers until they
are added to dx, which stays in the nearest cache.

All arrays are flat, float32, C-contiguous, allocated by the engine. A task is some columns of dw,
or of dx. The benchmark is ``python benchmarks/layers.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..typing import Array
from .jit import LANES, inlined, kernel
from .matmul import LinearGradients, MaskedGradient
from .pool.threads import share
from .simd import add_scaled, load, load_part, store, store_part

__all__ = ["gradients"]

TOGETHER = 8  # rows
VECTORS = 4
WIDE = VECTORS * LANES


@kernel
def gradients(
    queue: Array, dy: MaskedGradient, x: Array, w: Array, out: LinearGradients, pieces: int,
    weights: bool,
) -> None:  # fmt: skip
    """Write dw and db, if these ``weights`` learn, and then dx: each in ``pieces``."""
    (dw, db, dx), (columns, depth) = out, (len(out.db), len(x))
    dz = np.empty(columns, dtype=np.float32)
    for f in range(columns):
        dz[f] = dy.dy[f] if not dy.masked or dy.y[f] > 0 else np.float32(0)
    nothing = np.zeros(WIDE, dtype=np.float32)
    vectors = (depth + LANES - 1) // LANES
    for task in share(queue):
        piece = task % pieces
        first, last = piece * vectors // pieces * LANES, (piece + 1) * vectors // pieces * LANES
        some = first, min(last, depth)
        if weights and task < pieces:
            if task == 0:
                _scale(np.float32(1), dz, (0, columns), nothing, db, 0)
            for f in range(columns):
                _scale(dz[f], x, some, nothing, dw, f * depth)
        else:
            for k in range(some[0], some[1]):
                dx[k] = 0
            for f in range(0, columns, TOGETHER):
                _add_rows(dz, f, min(columns, f + TOGETHER), w, some, dx)


@inlined
def _scale(factor: Any, x: Array, some: Any, nothing: Array, y: Array, at: int) -> None:
    """Write ``factor · x`` in some columns of a row of ``y``.

    It is added to zeros, which makes 0 of -0: so does the sum with processes that have no row. The
    compiler would leave out those that it knew to be zeros.
    """
    k, end = some
    t, u = load(1, VECTORS, nothing, 0, 0, LANES), load(1, 1, nothing, 0, 0, 0)
    while k + WIDE <= end:
        store(t + factor * load(1, VECTORS, x, k, 0, LANES), y, at + k, 0)
        k += WIDE
    while k < end:
        count = min(LANES, end - k)
        store_part(u + factor * load_part(x, k, count), y, at + k, count)
        k += LANES


@inlined
def _add_rows(dz: Array, first: int, last: int, w: Array, some: Any, dx: Array) -> None:
    """Add some rows of w, times their dz, to ``dx`` in some columns."""
    (k, end), depth = some, len(dx)
    while k + WIDE <= end:
        t = load(1, VECTORS, dx, k, 0, LANES)
        for f in range(first, last):
            t = add_scaled(t, dz, f, w, f * depth + k, 0)
        store(t, dx, k, 0)
        k += WIDE
    while k < end:
        count = min(LANES, end - k)
        u = load_part(dx, k, count)
        for f in range(first, last):
            u = u + dz[f] * load_part(w, f * depth + k, count)
        store_part(u, dx, k, count)
        k += LANES
