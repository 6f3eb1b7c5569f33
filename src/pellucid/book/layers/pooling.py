"""`Pooling`: the largest number of each window."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ... import ops
from ...engine.launch import launch
from ...errors import ShapeError
from ...kernels import pooling
from ...rooms import room
from ...shapes import Windows, slide
from ...typing import Array
from ..settings import settings
from .base import BookLayer
from .buffers import take
from .layouts import channels_last, empty_bytes, like_images

__all__ = ["Pooling"]

BYTE = 256  # cells of a window that one byte can tell apart
NO_BYTES, NOTHING = room(1, np.uint8), room(1)


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
        self.x = x
        zeros = 0 if settings.strict else int(self.pad)
        if zeros:
            self._require_the_forgotten_size(x)
            x = np.pad(x, ((0, 0), (0, 0), (zeros, zeros), (zeros, zeros)))
        windows = slide(
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
        """Return ``dout`` at the cells that won."""
        assert self._memory is not None, "backward before forward"
        windows, won, zeros = self._memory
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
            return won.numbers().astype(np.int64).ravel()
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
        n, _, _, c = x.shape
        self._small = windows.window[0] * windows.window[1] <= BYTE
        size = (n, *windows.output, c)
        y = take(size)
        self._bytes = empty_bytes(size) if self._small else NO_BYTES
        self._wide = NOTHING if self._small else take(size)
        self._y: Array | None = y
        flat = [a.reshape(a.size) for a in (self._bytes, self._wide)]
        taps = pooling.reads(windows, 0), pooling.reads(windows, 1)
        _run(pooling.max_forward, y, taps, x, y, *flat, *taps, windows.window[1], self._small)

    def y(self) -> Array:
        """Give the maxima away."""
        y, self._y = self._y, None
        assert y is not None
        return y

    def numbers(self) -> Array:
        """Return which cell of its window won, (N, OH, OW, C)."""
        return self._bytes if self._small else self._wide

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` (N, OH, OW, C) at the cells that won."""
        dx, fw = take(self.shape), self.windows.window[1]
        taps = pooling.readers(self.windows, 0), pooling.readers(self.windows, 1)
        flat = [a.reshape(a.size) for a in (self._bytes, self._wide)]
        _run(pooling.max_backward, dx, taps, dy, *flat, dx, *taps, fw, self._small)
        return dx


def _run(kernel: Any, y: Array, taps: tuple[Any, Any], *args: Any) -> None:
    """Run a kernel that fills ``y`` through ``taps``, a band of rows a task."""
    n, rows, width, channels = y.shape
    cells = max(1, taps[0].most * taps[1].most)
    per = pooling.band(width * channels * cells)
    launch(kernel, -(-n * rows // per), y.size * cells, *args, per)
