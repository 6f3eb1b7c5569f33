"""Aligned memory for the arrays of kernels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .typing import Array

__all__ = ["aligned_zeros"]

LINE = 64  # bytes of a cache line, and of an AVX-512 vector


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """Return zeros aligned to a cache line.

    NumPy aligns arrays to 16 bytes only. Otherwise every vector of 64 bytes would straddle two
    lines and take twice as long to read: a kernel's time would vary by a third between
    allocations.

    Examples
    --------
    >>> aligned_zeros((3, 5)).shape, aligned_zeros((3, 5)).ctypes.data % 64
    ((3, 5), 0)
    """
    shape = (shape,) if isinstance(shape, int) else shape
    size, bytes_each = math.prod(shape), np.dtype(dtype).itemsize
    whole = np.zeros(size + LINE // bytes_each, dtype=dtype)
    first = -whole.ctypes.data % LINE // bytes_each
    return whole[first : first + size].reshape(shape)
