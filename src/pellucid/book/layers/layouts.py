"""Memory layouts: the arrays that a script passes to a layer, as the kernels take them.

The scripts pass images (N, C, H, W) from layer to layer. In the book these are often views: its
`Convolution` and `Pooling` return arrays that are stored as (N, H, W, C). Ours do the same, and
since that is the layout of our kernels, nothing is transposed between a convolution, a ReLU and a
pooling.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engine.cpu.transposing import transpose_images
from ...kernels.blocks import each
from ...kernels.book import updates
from ...typing import Array, Shape
from .buffers import WORTH, take

__all__ = [
    "MemoryRows",
    "as_float32",
    "as_float32_or_64",
    "channels_first",
    "channels_last",
    "contiguous",
    "empty_bytes",
    "in_shape_of",
]

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # the axes of a transpose to (N, H, W, C), and back


def as_float32(a: Any) -> Array:
    """Return ``a`` as an aligned, writeable float32 array in C order; ``a`` itself if it is one."""
    a = np.asarray(a)
    if a.dtype == np.float64 and a.flags.carray and a.size >= WORTH:
        y = take(a.shape)
        each(updates.to_float32, a, y)
        return y
    with np.errstate(all="ignore"):  # a script may let NumPy raise: overflow here is not its fault
        return np.require(a, np.float32, ["C", "W", "A"])


def as_float32_or_64(a: Array) -> Array:
    """Return ``a`` in C order: as float64 if it is that, else as float32; a copy only if needed."""
    a = np.asarray(a)
    return np.require(a, a.dtype if a.dtype == np.float64 else np.float32, ["C", "W", "A"])


def contiguous(x: Array) -> Array | None:
    """Return float32 ``x`` in memory order, if it is contiguous; else None.

    That is ``x`` itself, or the images (N, H, W, C) that it is a view of.
    """
    if x.dtype != np.float32 or not x.flags.writeable:
        return None
    return x if x.flags.c_contiguous else _channels_last_view(x)


def _channels_last_view(x: Array) -> Array | None:
    """Return the float32 images (N, H, W, C) that ``x`` (N, C, H, W) is a view of; else None."""
    if x.ndim != 4 or x.dtype != np.float32 or not x.flags.writeable:
        return None
    view = x.transpose(LAST)
    return view if view.flags.c_contiguous else None


def in_shape_of(y: Array, memory: Array, x: Array) -> Array:
    """Return ``y``, which has the layout of ``memory`` = contiguous(x), in the shape of ``x``."""
    return y if memory is x else y.transpose(FIRST)


def empty_bytes(shape: Shape, dtype: npt.DTypeLike = np.uint8) -> Array:
    """Return an uninitialised array of one byte a number."""
    size = math.prod(shape)
    return take((-(-size // 4),)).view(dtype)[:size].reshape(shape)


def channels_last(x: Array) -> Array:
    """Return images (N, C, H, W) as a float32 array (N, H, W, C) in C order; a view if possible."""
    if (view := _channels_last_view(x)) is not None:
        return view
    n, c, h, w = x.shape
    x = as_float32(x)
    if c == 1 or h * w == 1:
        return x.reshape(n, h, w, c)
    y = take((n, h, w, c))
    transpose_images(x, y, c, h * w)
    return y


def channels_first(y: Array) -> Array:
    """Return images (N, H, W, C) as (N, C, H, W), a view."""
    return y.transpose(FIRST)


class MemoryRows:
    """Images, or rows, as float32 rows in memory order.

    Attributes
    ----------
    rows : array (N, F)
    channels : int
        The channels of images that are stored pixel by pixel; otherwise 1.
    """

    def __init__(self, x: Array) -> None:
        view = None if x.flags.c_contiguous else _channels_last_view(x)
        self._shape, self._is_channels_last = x.shape, view is not None
        rows = as_float32(x) if view is None else view
        self.rows = rows.reshape(len(x), -1)
        self.channels = 1 if view is None else x.shape[1]

    def like_input(self, rows: Array) -> Array:
        """Return other rows of this layout in the shape of x, a view."""
        if not self._is_channels_last:
            return rows.reshape(self._shape)
        n, c, h, w = self._shape
        return channels_first(rows.reshape(n, h, w, c))

    def in_c_order(self) -> Array:
        """Return x as rows (N, F), those of images channel by channel."""
        n, size = self.rows.shape
        if not self._is_channels_last:
            return self.rows
        y, c = take((n, size)), self.channels
        transpose_images(self.rows, y, size // c, c)
        return y
