"""Max pooling as the plan's step and the book's layer run it."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...kernels import max_pooling, pooling
from ...shapes import Windows
from ...typing import Array
from .launch import launch

__all__ = ["MaxPooling", "run_bands"]

BYTE = 256  # cells of a window whose numbers fit into one byte


class MaxPooling:
    """Max pooling of channels-last images, and its gradient.

    Images are (N, H, W, C), float32, C-contiguous. The object keeps no image: threads may share it.

    Parameters
    ----------
    windows : Windows

    Attributes
    ----------
    argmax_type : type
        The numbers in which forward counts the cells of a window.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> max_pool = MaxPooling(slide((4, 4), (2, 2), 2))
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    >>> y, dx = np.empty((1, 2, 2, 1), np.float32), np.empty_like(x)
    >>> argmax = np.empty(y.size, max_pool.argmax_type)
    >>> max_pool.forward(x, y, argmax)
    >>> y.ravel(), argmax
    (array([ 5.,  7., 13., 15.], dtype=float32), array([3, 3, 3, 3], dtype=uint8))
    >>> max_pool.backward(y, argmax, dx)
    >>> dx[0, :, :, 0]
    array([[ 0.,  0.,  0.,  0.],
           [ 0.,  5.,  0.,  7.],
           [ 0.,  0.,  0.,  0.],
           [ 0., 13.,  0., 15.]], dtype=float32)
    """

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        small = math.prod(windows.window) <= BYTE
        self.argmax_type: npt.DTypeLike = np.uint8 if small else np.float32

    def forward(self, x: Array, y: Array, argmax: Array | None) -> None:
        """Write the largest cell of each window to ``y``, and its number to the flat ``argmax``.

        Without an ``argmax``, only the former, in less time.
        """
        taps = self._reads
        if argmax is None:
            argmax = np.empty(0, self.argmax_type)
        run_bands(max_pooling.forward, y, taps, x, y, argmax, taps)

    def backward(self, dy: Array, argmax: Array, dx: Array) -> None:
        """Write to ``dx`` the sum of ``dy`` over the windows whose largest cell it is."""
        taps = self._readers
        run_bands(max_pooling.backward, dx, taps, dy, argmax, dx, taps)

    @cached_property
    def _reads(self) -> pooling.Taps:
        return pooling.reads(self.windows)

    @cached_property
    def _readers(self) -> pooling.Taps:
        return pooling.readers(self.windows)


def run_bands(kernel: Any, y: Array, taps: pooling.Taps, *args: Any) -> None:
    """Run a kernel that fills ``y`` through ``taps``; a task is a band of its rows."""
    n, rows, width, channels = y.shape
    cells = taps.most
    per = pooling.band(width * channels * cells)
    launch(kernel, -(-n * rows // per), y.size * cells, *args, per)
