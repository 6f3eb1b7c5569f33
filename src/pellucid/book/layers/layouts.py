"""How images lie in memory: what a layer makes of the arrays that a script hands it.

The scripts pass images (N, C, H, W) from layer to layer. In the book these are often views: its
`Convolution` and `Pooling` return arrays that lie in memory as (N, H, W, C). Ours do the same, and
since that is the layout of our kernels, nothing is turned between a convolution, a ReLU, a pooling.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...engine.cpu.launch import launch
from ...kernels import matmul
from ...kernels.blocks import each
from ...kernels.book import updates
from ...typing import Array
from .buffers import WORTH, take

__all__ = [
    "Lying",
    "as_floats",
    "as_given",
    "as_single",
    "channels_last",
    "empty_bytes",
    "in_a_run",
    "like_images",
]

Shape: TypeAlias = tuple[int, ...]
LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # from (N, C, H, W), and back to it


def as_single(a: Any) -> Array:
    """Return ``a`` as a float32 array in C order that kernels may take; itself if it is one."""
    a = np.asarray(a)
    if a.dtype == np.float64 and a.flags.carray and a.size >= WORTH:
        y = take(a.shape)
        each(updates.narrow, a, y)
        return y
    with np.errstate(all="ignore"):  # a script may have numpy raise, and finds no fault of its own
        return np.require(a, np.float32, ["C", "W", "A"])


def as_floats(a: Array) -> Array:
    """Return ``a`` in C order, float64 if it is, else float32; itself if it is so already."""
    a = np.asarray(a)
    return np.require(a, a.dtype if a.dtype == np.float64 else np.float32, ["C", "W", "A"])


def in_a_run(x: Array) -> Array | None:
    """Return float32 ``x`` as it lies in memory, without gaps, if it does; else None.

    That is ``x`` itself, or for a view of images (N, H, W, C) those.
    """
    if x.dtype != np.float32 or not x.flags.writeable:
        return None
    return x if x.flags.c_contiguous else _turned(x)


def _turned(x: Array) -> Array | None:
    """Return (N, C, H, W) as the float32 (N, H, W, C) that it is a view of, if it is."""
    if x.ndim != 4 or x.dtype != np.float32 or not x.flags.writeable:
        return None
    turned = x.transpose(LAST)
    return turned if turned.flags.c_contiguous else None


def as_given(y: Array, run: Array, x: Array) -> Array:
    """Return ``y``, which lies in memory as ``run`` = in_a_run(x) does, shaped like ``x``."""
    return y if run is x else y.transpose(FIRST)


def empty_bytes(shape: Shape, dtype: npt.DTypeLike = np.uint8) -> Array:
    """Return new memory of a byte a number."""
    size = math.prod(shape)
    return take((-(-size // 4),)).view(dtype)[:size].reshape(shape)


def channels_last(x: Array) -> Array:
    """Return images (N, C, H, W) as a float32 array (N, H, W, C) in C order; a view if possible."""
    if (run := _turned(x)) is not None:
        return run
    n, c, h, w = x.shape
    x = as_single(x)
    if c == 1 or h * w == 1:
        return x.reshape(n, h, w, c)
    y = take((n, h, w, c))
    launch(matmul.transpose, n, x.size, x.reshape(x.size), y.reshape(y.size), c, h * w)
    return y


def like_images(y: Array) -> Array:
    """Return (N, H, W, C) as (N, C, H, W), a view."""
    return y.transpose(FIRST)


class Lying:
    """Images, or rows, as float32 rows of numbers in the order in which they lie in memory.

    Attributes
    ----------
    rows : array (N, F)
    channels : int
        Of images that lie pixel by pixel; otherwise 1: the numbers lie as they are counted.
    """

    def __init__(self, x: Array) -> None:
        run = None if x.flags.c_contiguous else _turned(x)
        self._shape, self._turned = x.shape, run is not None
        rows = as_single(x) if run is None else run
        self.rows = rows.reshape(len(x), -1)
        self.channels = 1 if run is None else x.shape[1]

    def images(self, rows: Array) -> Array:
        """Return other such rows in the shape of x, a view."""
        if not self._turned:
            return rows.reshape(self._shape)
        n, c, h, w = self._shape
        return like_images(rows.reshape(n, h, w, c))

    def in_order(self) -> Array:
        """Return x as rows (N, F) in C order, the numbers of images channel by channel."""
        n, size = self.rows.shape
        if not self._turned:
            return self.rows
        y, c = take((n, size)), self.channels
        flat = self.rows.reshape(n * size), y.reshape(n * size)
        launch(matmul.transpose, n, n * size, *flat, size // c, c)
        return y
