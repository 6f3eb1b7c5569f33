"""The peak rate of the machine: that of NumPy's matrix product."""

from __future__ import annotations

import functools
import time

import numpy as np

__all__ = ["peak_gflops"]

SIZE = 1024  # large enough for every BLAS to reach its peak
LONG_ENOUGH = 0.1  # seconds


@functools.cache
def peak_gflops() -> float:
    """Return the GFLOP/s of NumPy's float32 matrix product, measured once per process.

    NumPy's BLAS chooses the number of threads (``OPENBLAS_NUM_THREADS`` and the like, read when
    NumPy is imported). Its threads stay awake for some time afterwards: take other measurements
    first.

    Examples
    --------
    >>> peak_gflops() > 0.1
    True
    """
    rng = np.random.default_rng(0)
    a, b = rng.random((2, SIZE, SIZE), dtype=np.float32)
    y = a @ b  # wakes the threads
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < LONG_ENOUGH:
        begin = time.perf_counter()
        np.matmul(a, b, out=y)
        seconds.append(time.perf_counter() - begin)
    return 2 * SIZE**3 / min(seconds) / 1e9
