"""The products of `Affine`: the choice of the kernel, and of the number of tasks.

NumPy's own products are as fast on an idle machine. But its threads compete with ours for the
cores, and on a busy machine a product of half a millisecond was seen to take sixty.
"""

from __future__ import annotations

from ...engine.cpu.launch import launch
from ...kernels.book import affine_products
from ...kernels.jit import LANES
from ...typing import Array
from .buffers import take

__all__ = ["affine", "matmul_nt", "matmul_tn"]

TASKS = 16  # at most: enough for every thread
LEAST = 512  # terms of a task: adding the partial sums of shorter ones would take too long


def affine(x: Array, w: Array, b: Array, channels: int = 1) -> Array:
    """Return ``x·w + b`` for ``x`` (M, K) and ``b`` (F,), float32, and ``w`` (K, F).

    ``w`` may be float64 here and below. All are in C order; a row of ``x`` is stored pixel by
    pixel, the rows of ``w`` are in the order channel by channel.

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    >>> affine(x, w, np.arange(4, dtype=np.float32))[0]
    array([3., 4., 5., 6.], dtype=float32)
    """
    (rows, terms), columns = x.shape, len(b)
    height = _height(rows)
    tiles = -(-rows // height)
    blocks = 1 if tiles >= TASKS else max(1, min(TASKS, terms // LEAST))
    cuts = 1 if blocks > 1 else min(tiles, TASKS)  # each of them reads w again
    wide = -(-columns // LANES) * LANES
    sums, y = take((blocks * tiles * height * wide,)), take((rows, columns))
    launch(
        affine_products.matmul_nn(height), blocks * cuts, rows * terms * columns,
        _flat(x), _flat(w), sums, rows, columns, channels, blocks, cuts,
    )  # fmt: skip
    launch(
        affine_products.add_blocks, min(TASKS, rows), sums.size, sums, b, _flat(y), rows,
        tiles * height, blocks, min(TASKS, rows),
    )  # fmt: skip
    return y


def matmul_tn(x: Array, dy: Array, channels: int = 1) -> Array:
    """Return ``xᵀ·dy`` (K, F) in the order of ``w``, for ``x`` (M, K), ``dy`` (M, F).

    Examples
    --------
    >>> import numpy as np
    >>> x, dy = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    >>> dw = matmul_tn(x, dy)
    >>> dw.shape, float(dw.max())
    ((3, 4), 2.0)
    """
    terms, columns = x.shape[1], dy.shape[1]
    height, dw = affine_products.HEIGHTS[0], take((terms, columns))
    tasks = min(TASKS, -(-terms // height))
    launch(
        affine_products.matmul_tn(height), tasks, x.size * columns, _flat(x), _flat(dy),
        _flat(dw), columns, channels, tasks,
    )  # fmt: skip
    return dw


def matmul_nt(dy: Array, w: Array, channels: int = 1) -> Array:
    """Return ``dy·wᵀ`` (M, K) in the order of ``x``, for ``dy`` (M, F), ``w`` (K, F).

    Examples
    --------
    >>> import numpy as np
    >>> dy, w = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    >>> dx = matmul_nt(dy, w)
    >>> dx.shape, float(dx.max())
    ((2, 4), 3.0)
    """
    rows, columns = dy.shape
    dx = take((rows, len(w)))
    tasks = min(TASKS, -(-len(w) // LANES))
    launch(
        affine_products.matmul_nt(_height(rows)), tasks, dy.size * len(w), _flat(dy), _flat(w),
        _flat(dx), columns, channels, tasks,
    )  # fmt: skip
    return dx


def _height(rows: int) -> int:
    """Return the number of rows of a tile."""
    return next(height for height in affine_products.HEIGHTS if height <= rows)


def _flat(a: Array) -> Array:
    return a.reshape(a.size)
