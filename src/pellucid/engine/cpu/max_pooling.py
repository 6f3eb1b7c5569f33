"""The choice between the kernels for max pooling, for the plan's step and the book's layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...kernels import max_pool_2x2, pooling
from ...memory import aligned_zeros
from ...shapes import Windows
from ...typing import Array
from .launch import launch

__all__ = ["MaxPooling", "run_bands"]

BYTE = 256  # cells of a window whose numbers fit into one byte
NO_BYTES, NO_FLOATS = aligned_zeros(1, np.uint8), aligned_zeros(1)


class MaxPooling:
    """Max pooling of channels-last images, and its gradient, by the fastest kernel for the windows.

    Images are (N, H, W, C), float32, C-contiguous. The object keeps no image: threads may share it.

    Parameters
    ----------
    windows : Windows

    Attributes
    ----------
    kernels : pair of functions
        Forward and backward.
    argmax_type : type
        The numbers in which forward counts the cells of a window.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> max_pooling = MaxPooling(slide((4, 4), (2, 2), 2))
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    >>> y, dx = np.empty((1, 2, 2, 1), np.float32), np.empty_like(x)
    >>> argmax = np.empty(y.size, max_pooling.argmax_type)
    >>> max_pooling.forward(x, y, argmax)
    >>> y.ravel(), argmax
    (array([ 5.,  7., 13., 15.], dtype=float32), array([3, 3, 3, 3], dtype=uint8))
    >>> max_pooling.backward(y, argmax, dx)
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
        self._is_2x2 = (
            windows.window == windows.stride == (2, 2)
            and windows.dilation == (1, 1)
            and windows.padding == ((0, 0), (0, 0))
        )
        chosen: Any = (max_pool_2x2.forward, max_pool_2x2.backward)
        if not self._is_2x2:
            chosen = (pooling.max_forward, pooling.max_backward)
        self.kernels: tuple[Callable[..., Any], Callable[..., Any]] = chosen

    def forward(self, x: Array, y: Array, argmax: Array) -> None:
        """Write the largest cell of each window to ``y``, and its number to the flat ``argmax``."""
        if self._is_2x2:
            self._run_2x2(max_pool_2x2.forward, y, x, y, argmax)
        else:
            taps = self._reads
            run_bands(pooling.max_forward, y, taps, x, y, _both_types(argmax), taps)

    def backward(self, dy: Array, argmax: Array, dx: Array) -> None:
        """Write to ``dx`` the sum of ``dy`` over the windows whose largest cell it is."""
        if self._is_2x2:
            (_, h, w, _), (oh, ow) = dx.shape, self.windows.output
            self._run_2x2(max_pool_2x2.backward, dy, dy, argmax, dx)
            if 2 * oh < h:  # what no window reads
                dx[:, 2 * oh :] = 0
            if 2 * ow < w:
                dx[:, :, 2 * ow :] = 0
        else:
            taps = self._readers
            run_bands(pooling.max_backward, dx, taps, dy, _both_types(argmax), dx, taps)

    @cached_property
    def _reads(self) -> pooling.Taps:
        return pooling.reads(self.windows)

    @cached_property
    def _readers(self) -> pooling.Taps:
        return pooling.readers(self.windows)

    def _run_2x2(self, kernel: Any, y: Array, *args: Any) -> None:
        n, rows, width, channels = y.shape
        per = pooling.band(4 * width * channels)
        launch(kernel, -(-n * rows // per), 4 * y.size, *args, per)


def run_bands(kernel: Any, y: Array, taps: pooling.Taps, *args: Any) -> None:
    """Run a kernel that fills ``y`` through ``taps``; a task is a band of its rows."""
    n, rows, width, channels = y.shape
    cells = taps.most
    per = pooling.band(width * channels * cells)
    launch(kernel, -(-n * rows // per), y.size * cells, *args, per)


def _both_types(argmax: Array) -> pooling.Argmax:
    """Return ``argmax`` as the general kernel takes it, in bytes or in floats."""
    if argmax.dtype == np.uint8:
        return pooling.Argmax(argmax, NO_FLOATS, True)
    return pooling.Argmax(NO_BYTES, argmax, False)
