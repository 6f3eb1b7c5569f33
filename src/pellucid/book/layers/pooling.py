"""`Pooling`: max pooling."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ... import ops
from ...engine.cpu.max_pooling import MaxPooling
from ...errors import ShapeError
from ...ops.checks import require_shape
from ...shapes import Windows, slide
from ...typing import Array
from ..settings import settings
from .base import BookLayer
from .buffers import take
from .layouts import channels_first, channels_last, empty_bytes

__all__ = ["Pooling"]

_slide, _max_pooling = lru_cache(slide), lru_cache(MaxPooling)  # the same ones in every step


class Pooling(BookLayer):
    """The largest number of each window ("Deep Learning from Scratch", section 7.4.4).

    Output height ``int(1 + (H - pool_h) / stride)``, as in the book, which forgets the padding:
    with ``pad`` it fails, unless the number of windows happens to be the same. The book pads with
    zeros, which are larger than negative numbers. With ``settings.strict`` the padding counts in
    the size, and is never the largest.

    Parameters
    ----------
    pool_h, pool_w, stride, pad : int

    Attributes
    ----------
    x : array (N, C, H, W)
        The last input.
    arg_max : integer array (N·OH·OW·C,)
        The number of the largest cell of each window, in the order of images, rows, columns,
        channels.

    Examples
    --------
    >>> pool = Pooling(2, 2, stride=2)
    >>> pool.forward(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> pool.arg_max
    array([3, 3, 3, 3])
    """

    _memory: Any = None  # of the last forward: the windows, the argmax, the width of zero padding

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return the maxima (N, C, OH, OW).

        Raises
        ------
        ShapeError
            If the window does not fit, or if, with padding, the book's output size is wrong.
        """
        vars(self).pop("arg_max", None)
        self.x, self._memory = x, None
        zeros = 0 if settings.strict else int(self.pad)
        if zeros:
            self._require_the_book_s_size(x)
            x = np.pad(x, ((0, 0), (0, 0), (zeros, zeros), (zeros, zeros)))
        windows = _slide(
            (x.shape[2], x.shape[3]), (int(self.pool_h), int(self.pool_w)), int(self.stride),
            0 if zeros else int(self.pad),
        )  # fmt: skip
        if settings.in_double(x) or not x.size:
            y, argmax = ops.max_pool2d(x.astype(np.float64, copy=False), windows)
            self._memory = windows, argmax, zeros
            return y
        maxima = _Maxima(windows, channels_last(x))
        self._memory = windows, maxima, zeros
        return channels_first(maxima.take_y())

    def backward(self, dout: Array) -> Array:
        """Return ``dout`` at the argmax of each window, and 0 elsewhere.

        Raises
        ------
        ShapeError
            If the shape of ``dout`` is not that of the output.
        """
        if self._memory is None:  # a copy of a layer, or one from a file
            self.forward(self._after_forward(self.x))
        windows, found, zeros = self._memory
        n, c = (found.shape[0], found.shape[3]) if isinstance(found, _Maxima) else found.shape[:2]
        require_shape(dout, (n, c, *windows.output), "a gradient", "(N, C, OH, OW)", "Pooling")
        if isinstance(found, _Maxima):
            dx = channels_first(found.backward(channels_last(dout)))
        else:
            dx = ops.max_pool2d_backward(dout.astype(np.float64, copy=False), found, windows)
        return dx[:, :, zeros:-zeros, zeros:-zeros] if zeros else dx

    @cached_property
    def arg_max(self) -> Array | None:
        """Return the number of the largest cell of each window."""
        if self._memory is None:
            return None
        found = self._memory[1]
        if isinstance(found, _Maxima):
            return found.argmax.astype(np.int64).ravel()
        return found.transpose(0, 2, 3, 1).ravel()

    def _require_the_book_s_size(self, x: Array) -> None:
        size = [int(1 + (x.shape[2] - self.pool_h) / self.stride),
                int(1 + (x.shape[3] - self.pool_w) / self.stride)]  # fmt: skip
        true = [(x.shape[2] + 2 * self.pad - self.pool_h) // self.stride + 1,
                (x.shape[3] + 2 * self.pad - self.pool_w) // self.stride + 1]  # fmt: skip
        if size != true:
            raise ShapeError(
                f"expects {size[0]}x{size[1]} windows, for the book's formula "
                f"int(1 + (H - pool_h) / stride) forgets the padding; with pad={self.pad} there "
                f"are {true[0]}x{true[1]} on images {x.shape[2]}x{x.shape[3]}. Run the script "
                "with --strict, or pad the images before.",
                where="Pooling",
            )


class _Maxima:
    """Maxima of float32 images (N, H, W, C), and where in each window they are."""

    def __init__(self, windows: Windows, x: Array) -> None:
        self.shape = x.shape
        self._pooling = _max_pooling(windows)
        size = (x.shape[0], *windows.output, x.shape[3])
        self.argmax = empty_bytes(size) if self._pooling.argmax_type is np.uint8 else take(size)
        self._y: Array | None = take(size)
        self._pooling.forward(x, self._y, self._flat())

    def take_y(self) -> Array:
        """Return the maxima, once, and keep no reference to their memory."""
        y, self._y = self._y, None
        assert y is not None
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` (N, OH, OW, C) at the argmax of each window."""
        dx = take(self.shape)
        self._pooling.backward(dy, self._flat(), dx)
        return dx

    def _flat(self) -> Array:
        return self.argmax.reshape(self.argmax.size)
