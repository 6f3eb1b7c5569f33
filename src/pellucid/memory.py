"""Where arrays that kernels read and write lie in memory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .typing import Array

__all__ = ["aligned_zeros"]

LINE = 64  # bytes of a cache line, which a vector fills with AVX-512


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """Return zeros that begin with a cache line.

    NumPy's arrays begin at any multiple of 16 bytes. Then every vector of 64 lies across two lines,
    and takes twice as long to read: from one allocation to the next, a kernel's time would change
    by a third.

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
