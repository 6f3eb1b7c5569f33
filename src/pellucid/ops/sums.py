"""Sums over many numbers, accumulated in float64.

A float32 sum that adds a million numbers one after the other is wrong in the third digit, and NumPy
sums pairwise only along a contiguous axis.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array

__all__ = ["mean", "total"]

Axes = int | tuple[int, ...] | None


def total(a: Array, axis: Axes = None, *, keepdims: bool = False) -> Array:
    """Return the sum along ``axis``, in the dtype of ``a``.

    Examples
    --------
    >>> total(np.full((4096, 4096), np.float32(0.1)), axis=0)[0]
    np.float32(409.6)
    """
    sums = np.sum(a, axis=axis, dtype=_wide(a), keepdims=keepdims)
    return sums.astype(np.result_type(sums, a) if a.dtype.kind in "biu" else a.dtype)


def mean(a: Array, axis: Axes = None, *, keepdims: bool = False) -> Array:
    """Return the mean along ``axis`` in the dtype of ``a``; of integers in float64."""
    means = np.mean(a, axis=axis, dtype=_wide(a), keepdims=keepdims)
    return means if a.dtype.kind in "biu" else means.astype(a.dtype)


def _wide(a: Array) -> np.dtype | None:
    """Return the dtype to accumulate in: at least float64, or NumPy's own for integers."""
    return np.promote_types(a.dtype, np.float64) if a.dtype.kind == "f" else None
