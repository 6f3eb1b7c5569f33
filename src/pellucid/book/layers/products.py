"""Matrix products for `Affine`, whose ``W`` is (in, out): which kernel, and in how many tasks.

NumPy's own would do on a quiet machine. But its threads wait for each other while ours do, and
where the cores are busy a product of half a millisecond was seen to take sixty.
"""

from __future__ import annotations

import numpy as np

from ...engine.launch import launch
from ...kernels import products
from ...kernels.jit import LANES
from ...typing import Array
from .buffers import take

__all__ = ["times", "times_turned", "turned_times"]

TASKS = 16  # at most: enough for every thread, and few panels of b are copied twice


def times(a: Array, b: Array, shift: Array) -> Array:
    """Return ``a·b + shift`` for ``a`` (M, K), ``b`` (K, F), all float32 in C order.

    Examples
    --------
    >>> a, b = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    >>> times(a, b, np.arange(4, dtype=np.float32))[0]
    array([3., 4., 5., 6.], dtype=float32)
    """
    return _product(a, a.shape, (a.shape[1], 1), b, shift)


def turned_times(a: Array, b: Array) -> Array:
    """Return ``aᵀ·b`` for ``a`` (M, K), ``b`` (M, F).

    Examples
    --------
    >>> a, b = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    >>> turned_times(a, b).shape, float(turned_times(a, b).max())
    ((3, 4), 2.0)
    """
    nothing = np.zeros(b.shape[1], dtype=np.float32)
    return _product(a, a.shape[::-1], (1, a.shape[1]), b, nothing)


def times_turned(a: Array, b: Array) -> Array:
    """Return ``a·bᵀ`` for ``a`` (M, K), ``b`` (F, K), which may be float64.

    Examples
    --------
    >>> a, b = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    >>> times_turned(a, b).shape, float(times_turned(a, b).max())
    ((2, 4), 3.0)
    """
    turned, nothing = take((b.shape[1], len(b))), np.zeros(len(b), dtype=np.float32)
    tasks = min(TASKS, len(b))
    sizes = (*b.shape, tasks)
    launch(products.turn_over, tasks, b.size, b.reshape(b.size), turned.reshape(b.size), *sizes)
    return _product(a, a.shape, (a.shape[1], 1), turned, nothing)


def _product(
    a: Array, shape: tuple[int, ...], steps: tuple[int, int], b: Array, shift: Array
) -> Array:
    """Return ``out[m,f] = shift[f] + Σ_i a[m·steps[0] + i·steps[1]] · b[i,f]``."""
    (rows, terms), columns = shape, len(shift)
    height, vectors = products.tile_for(rows, columns)
    panels = -(-columns // (vectors * LANES))
    blocks = max(1, min(rows // height, TASKS // panels))
    across = min(panels, max(1, TASKS // blocks))
    out = take((rows, columns))
    launch(
        products.product(height, vectors), blocks * across, rows * columns * terms,
        a.reshape(a.size), *steps, b.reshape(b.size), shift, out.reshape(out.size), terms, blocks,
        across,
    )  # fmt: skip
    return out
