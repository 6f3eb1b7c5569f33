"""`Pooling`: the largest number of each window."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ... import ops
from ...engine.cpu.launch import launch
from ...errors import ShapeError
from ...kernels import pooling
from ...kernels.book import max_pool_2x2
from ...memory import aligned_zeros
from ...ops.checks import require_shape
from ...shapes import Windows, slide
from ...typing import Array
from ..settings import settings
from .base import BookLayer
from .buffers import take
from .layouts import channels_last, empty_bytes, like_images

__all__ = ["Pooling"]

BYTE = 256  # cells of a window that one byte can tell apart
NO_BYTES, NOTHING = aligned_zeros(1, np.uint8), aligned_zeros(1)

_slide = lru_cache(slide)  # a script asks for the same every time


class Pooling(BookLayer):
    """The largest number of each window; ("Deep Learning from Scratch", section 7.4.4).

    Output height ``int(1 + (H - pool_h) / stride)``, as in the book, which forgets the padding:
    with ``pad`` it therefore fails, unless the windows happen to be as many. Its padding is zeros,
    which win over negative numbers. With ``settings.strict`` the padding counts in the size, and
    never wins.

    Parameters
    ----------
    pool_h, pool_w, stride, pad : int

    Attributes
    ----------
    x : array (N, C, H, W)
        The last input.
    arg_max : integer array (N·OH·OW·C,)
        Which cell of its window won, in the order of images, rows, columns, channels.

    Examples
    --------
    >>> pool = Pooling(2, 2, stride=2)
    >>> pool.forward(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> pool.arg_max
    array([3, 3, 3, 3])
    """

    _memory: Any = None  # of the last forward: the windows, who won, the zeros around the images

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad
        self.x: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return the maxima (N, C, OH, OW).

        Raises
        ------
        ShapeError
            If the window does not fit; with padding, if the book's output size is wrong.
        """
        vars(self).pop("arg_max", None)
        self.x, self._memory = x, None
        zeros = 0 if settings.strict else int(self.pad)
        if zeros:
            self._require_the_forgotten_size(x)
            x = np.pad(x, ((0, 0), (0, 0), (zeros, zeros), (zeros, zeros)))
        windows = _slide(
            (x.shape[2], x.shape[3]), (int(self.pool_h), int(self.pool_w)), int(self.stride),
            0 if zeros else int(self.pad),
        )  # fmt: skip
        if settings.in_double(x) or not x.size:
            y, won = ops.max_pool2d(x.astype(np.float64, copy=False), windows)
            self._memory = windows, won, zeros
            return y
        maxima = _Maxima(windows, channels_last(x))
        self._memory = windows, maxima, zeros
        return like_images(maxima.y())

    def backward(self, dout: Array) -> Array:
        """Return ``dout`` at the cells that won.

        Raises
        ------
        ShapeError
            If ``dout`` has another shape than the output.
        """
        if self._memory is None:  # a copy of a layer, or one from a file
            self.forward(self._after_forward(self.x))
        windows, won, zeros = self._memory
        n, c = (len(won.won), won.shape[3]) if isinstance(won, _Maxima) else won.shape[:2]
        require_shape(dout, (n, c, *windows.output), "a gradient", "(N, C, OH, OW)", "Pooling")
        if isinstance(won, _Maxima):
            dx = like_images(won.backward(channels_last(dout)))
        else:
            dx = ops.max_pool2d_backward(dout.astype(np.float64, copy=False), won, windows)
        return dx[:, :, zeros:-zeros, zeros:-zeros] if zeros else dx

    @cached_property
    def arg_max(self) -> Array | None:
        """Return which cells won."""
        if self._memory is None:
            return None
        won = self._memory[1]
        if isinstance(won, _Maxima):
            return won.won.astype(np.int64).ravel()
        return won.transpose(0, 2, 3, 1).ravel()

    def _require_the_forgotten_size(self, x: Array) -> None:
        size = [int(1 + (x.shape[2] - self.pool_h) / self.stride),
                int(1 + (x.shape[3] - self.pool_w) / self.stride)]  # fmt: skip
        there = [(x.shape[2] + 2 * self.pad - self.pool_h) // self.stride + 1,
                 (x.shape[3] + 2 * self.pad - self.pool_w) // self.stride + 1]  # fmt: skip
        if size != there:
            raise ShapeError(
                f"expects {size[0]}x{size[1]} windows, for the book's formula "
                f"int(1 + (H - pool_h) / stride) forgets the padding; with pad={self.pad} there "
                f"are {there[0]}x{there[1]} on images {x.shape[2]}x{x.shape[3]}. Run the script "
                "with --strict, or pad the images before.",
                where="Pooling",
            )


class _Maxima:
    """The kernels' maxima of images (N, H, W, C), and who won."""

    def __init__(self, windows: Windows, x: Array) -> None:
        self.windows, self.shape = windows, x.shape
        n, h, w, c = x.shape
        (oh, ow), size = windows.output, (n, *windows.output, c)
        small = windows.window[0] * windows.window[1] <= BYTE
        self.pairs = windows.window == windows.stride == (2, 2) and (h, w) == (2 * oh, 2 * ow)
        self.won = empty_bytes(size) if small else take(size)
        self._y: Array | None = take(size)
        if self.pairs:
            _run_pairs(max_pool_2x2.forward, size, x, self._y, self.won)
            return
        taps = pooling.reads(windows, 0), pooling.reads(windows, 1)
        _run(pooling.max_forward, self._y, taps, x, self._y, *self._winners(), *taps,
             windows.window[1], small)  # fmt: skip

    def y(self) -> Array:
        """Give the maxima away."""
        y, self._y = self._y, None
        assert y is not None
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` (N, OH, OW, C) at the cells that won."""
        dx = take(self.shape)
        if self.pairs:
            _run_pairs(max_pool_2x2.backward, dy.shape, dy, self.won, dx)
            return dx
        taps = pooling.readers(self.windows, 0), pooling.readers(self.windows, 1)
        fw, small = self.windows.window[1], self.won.dtype == np.uint8
        _run(pooling.max_backward, dx, taps, dy, *self._winners(), dx, *taps, fw, small)
        return dx

    def _winners(self) -> tuple[Array, Array]:
        """Return who won, as the kernels want it: as bytes or as numbers."""
        flat = self.won.reshape(self.won.size)
        return (flat, NOTHING) if flat.dtype == np.uint8 else (NO_BYTES, flat)


def _run_pairs(kernel: Any, shape: tuple[int, ...], *arrays: Array) -> None:
    """Run a kernel over windows (N, OH, OW, C), a band of rows of them a task."""
    n, oh, ow, c = shape
    per = pooling.band(4 * ow * c)
    flat = [a.reshape(a.size) for a in arrays]
    launch(kernel, -(-n * oh // per), 4 * math.prod(shape), *flat, n * oh, ow, c, per)


def _run(kernel: Any, y: Array, taps: tuple[Any, Any], *args: Any) -> None:
    """Run a kernel that fills ``y`` through ``taps``, a band of rows a task."""
    n, rows, width, channels = y.shape
    cells = max(1, taps[0].most * taps[1].most)
    per = pooling.band(width * channels * cells)
    launch(kernel, -(-n * rows // per), y.size * cells, *args, per)
