"""Pooling: reduce each window of each channel to one number.

With the cells ``z[u,v] = x[n, c, S·i + D·u - P, S·j + D·v - P]`` of the window at (i, j):

    maximum   y = max z                gradient: dy goes to the argmax
    average   y = Σ z / count          gradient: dy / count to every cell
    Lp norm   y = (Σ |z|^p)^(1/p)      gradient: dy · sign(z) · (|z| / y)^(p-1)

("Deep Learning from Scratch", section 7.3; CS231n, "Pooling layer"; L2-norm pooling: CS231n,
"General pooling".)
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import numpy.typing as npt

from ..errors import ArgumentError, ShapeError
from ..shapes import Misfit, Padding, Windows, slide
from ..typing import Array, Pair
from .checks import (
    as_floats,
    require_image_shape,
    require_images,
    require_no_wider,
    require_real,
    require_shape,
)
from .im2col import fold, unfold
from .sums import total

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "pool2d_windows",
]


def max_pool2d(x: Array, windows: Windows) -> tuple[Array, Array]:
    """Take the largest value of each window.

    Parameters
    ----------
    x : array (N, C, H, W)
    windows : Windows
        How the window moves, from `pool2d_windows`.

    Returns
    -------
    y : array (N, C, OH, OW)
    arg_max : integer array (N, C, OH, OW)
        The cell of the window with the maximum, ``u·FW + v``; the first if several are equal. Never
        padding; NaN counts as the largest, so that it propagates.

    Examples
    --------
    >>> x = np.array([[[[1.0, 2.0, 5.0, 3.0], [4.0, 0.0, 1.0, 1.0]]]])
    >>> y, arg_max = max_pool2d(x, pool2d_windows((1, 2, 4), 2))
    >>> y[0, 0].tolist(), arg_max[0, 0].tolist()
    ([[4.0, 5.0]], [[2, 0]])
    """
    _require_cells(x, windows, "max_pool2d")
    lowest = {"f": -np.inf, "b": False}.get(x.dtype.kind)
    if lowest is None:
        lowest = np.iinfo(x.dtype).min
    cells = _cells(x, windows, fill=lowest)
    arg_max = cells.argmax(axis=2)
    if windows.padding != ((0, 0), (0, 0)):
        # If all real cells are -inf, argmax may have found padding, which is equal.
        real = _real_cells(windows)
        real_cells = np.broadcast_to(real, cells.shape)
        found = np.take_along_axis(real_cells, arg_max[:, :, None], axis=2)[:, :, 0]
        arg_max = np.where(found, arg_max, real.argmax(axis=0))
    return np.take_along_axis(cells, arg_max[:, :, np.newaxis], axis=2)[:, :, 0], arg_max


def max_pool2d_backward(dy: Array, arg_max: Array, windows: Windows) -> Array:
    """Scatter each ``dy`` to the argmax of its window; accumulate where windows overlap.

    Parameters
    ----------
    dy, arg_max : arrays (N, C, OH, OW)
    windows : Windows
        As given to `max_pool2d`.

    Returns
    -------
    array (N, C, H, W)
    """
    _require_output_gradient(dy, arg_max.shape, "max_pool2d_backward")
    _require_output_gradient(dy, (*dy.shape[:2], *windows.output), "max_pool2d_backward")
    (n, c, oh, ow), (fh, fw) = dy.shape, windows.window
    whole = arg_max.dtype.kind in "iu"
    if not whole or (dy.size and not 0 <= arg_max.min() <= arg_max.max() < fh * fw):
        raise ArgumentError(
            f"must be indices into the window, integers from 0 to {fh * fw - 1}, as `max_pool2d` "
            "returns them.",
            where="arg_max",
        )
    cells = np.zeros((n, c, fh * fw, oh, ow), dtype=dy.dtype)
    np.put_along_axis(cells, arg_max[:, :, np.newaxis], dy[:, :, np.newaxis], axis=2)
    return fold(cells.reshape(n, c, fh, fw, oh, ow), windows)


def avg_pool2d(x: Array, windows: Windows, *, count_include_pad: bool = True) -> Array:
    """Take the mean of each window.

    Parameters
    ----------
    x : array (N, C, H, W)
    windows : Windows
        How the window moves, from `pool2d_windows`.
    count_include_pad : bool
        Divide by all cells of the window, padding included (PyTorch's default), or only by those
        that are not padding. Cells that ``misfit="pad"`` adds beyond the end never count.

    Returns
    -------
    array (N, C, OH, OW)

    Examples
    --------
    >>> x = np.array([[[[1.0, 2.0, 5.0]]]])
    >>> avg_pool2d(x, pool2d_windows((1, 1, 3), (1, 2), misfit="pad"))
    array([[[[1.5, 5. ]]]])
    """
    _require_cells(x, windows, "avg_pool2d")
    x = as_floats(x)
    return total(_cells(x, windows), 2) / _count(windows, count_include_pad, x.dtype)


def avg_pool2d_backward(dy: Array, windows: Windows, *, count_include_pad: bool = True) -> Array:
    """Spread each ``dy`` (N, C, OH, OW) evenly over its window; returns (N, C, H, W)."""
    require_real(dy, "avg_pool2d_backward", "dy")
    _require_output_gradient(dy, (*dy.shape[:2], *windows.output), "avg_pool2d_backward")
    n, c, oh, ow = dy.shape
    share = dy / _count(windows, count_include_pad, dy.dtype)
    cells = np.broadcast_to(share[:, :, np.newaxis, np.newaxis], (n, c, *windows.window, oh, ow))
    return fold(cells, windows)


def lp_pool2d(x: Array, windows: Windows, p: float = 2.0) -> Array:
    """Take the Lp norm of each window, ``(Σ |z|^p)^(1/p)``.

    Parameters
    ----------
    x : array (N, C, H, W)
    windows : Windows
        How the window moves, from `pool2d_windows`.
    p : float
        The norm, at least 1; 2 is the Euclidean length.

    Returns
    -------
    array (N, C, OH, OW)

    Examples
    --------
    >>> lp_pool2d(np.array([[[[3.0, 4.0]]]]), pool2d_windows((1, 1, 2), (1, 2)))
    array([[[[5.]]]])
    """
    _require_cells(x, windows, "lp_pool2d")
    if not isinstance(p, Real) or not 1 <= p < np.inf:
        raise ArgumentError(f"must be a norm of at least 1 and finite, received {p!r}.", where="p")
    return total(np.abs(_cells(as_floats(x), windows)) ** p, 2) ** (1 / p)


def lp_pool2d_backward(dy: Array, x: Array, y: Array, windows: Windows, p: float = 2.0) -> Array:
    """Return the gradient (N, C, H, W): ``dy · sign(z) · (|z| / y)^(p-1)``.

    At a window of zeros, where the norm has a kink, the gradient is 0.
    """
    where = "lp_pool2d_backward"
    _require_cells(x, windows, where)
    require_no_wider(x, where, y=y, dy=dy)
    _require_output_gradient(dy, (*x.shape[:2], *windows.output), where)
    require_shape(y, dy.shape, "the output", "(N, C, OH, OW)", where)
    (n, c, oh, ow), (fh, fw) = dy.shape, windows.window
    z, length = _cells(as_floats(x), windows), y[:, :, np.newaxis]
    direction = np.divide(np.abs(z), length, out=np.zeros_like(z), where=length != 0) ** (p - 1)
    cells = dy[:, :, np.newaxis] * np.sign(z) * direction
    return fold(cells.reshape(n, c, fh, fw, oh, ow), windows)


def pool2d_windows(
    image_shape: tuple[int, ...],
    window: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Windows:
    """Return how a pooling window moves over an image (C, H, W); the stride defaults to its size.

    Raises
    ------
    ShapeError
        If the window is larger than the image, or some window contains only padding.
    """
    _, h, w = require_image_shape(image_shape, "pooling")
    windows = slide((h, w), window, window if stride is None else stride, padding, dilation, misfit)
    if windows.padding != ((0, 0), (0, 0)) and not _real_cells(windows).any(axis=0).all():
        raise ShapeError(
            f"with padding {windows.padding} some windows of {windows.window} contain only padding "
            f"of the {h}x{w} image, and have no maximum or mean. Use less padding: at most half "
            "the window.",
            where="pooling",
        )
    return windows


def _cells(x: Array, windows: Windows, fill: float = 0) -> Array:
    """Return the cells of every window, shape (N, C, FH·FW, OH, OW)."""
    (n, c), (fh, fw) = x.shape[:2], windows.window
    return unfold(x, windows, fill).reshape(n, c, fh * fw, *windows.output)


def _real_cells(windows: Windows) -> Array:
    """Return which cells of each window are not padding, boolean (FH·FW, OH, OW)."""
    return _cells(np.ones((1, 1, *windows.input), dtype=np.bool_), windows)[0, 0]


def cells_that_count(windows: Windows, axis: int, *, include_pad: bool) -> Array:
    """Return how many rows (axis 0) or columns (1) of each window count in its mean."""
    o, u = np.ogrid[: windows.output[axis], : windows.window[axis]]
    place = windows.stride[axis] * o + windows.dilation[axis] * u
    before, after = windows.padding[axis]
    first, end = before, before + windows.input[axis]
    if include_pad:
        first, end = 0, end + after - windows.overhang[axis]
    return ((place >= first) & (place < end)).sum(axis=1)


def _count(windows: Windows, include_pad: bool, dtype: npt.DTypeLike) -> Array:
    rows, columns = (cells_that_count(windows, axis, include_pad=include_pad) for axis in (0, 1))
    return np.multiply.outer(rows, columns).astype(dtype)


def _require_cells(x: Array, windows: Windows, where: str) -> None:
    """Refuse images of another size than ``windows`` were made for."""
    require_images(x, where)
    if x.shape[2:] != windows.input:
        raise ShapeError(
            f"was given windows for images of {windows.input[0]}x{windows.input[1]}, received "
            f"shape {x.shape}. Make others with `pool2d_windows(x.shape[1:], ...)`.",
            where=where,
        )


def _require_output_gradient(dy: Array, required: tuple[int, ...], where: str) -> None:
    require_real(dy, where, "dy")
    require_shape(dy, required, "an output gradient", "(N, C, OH, OW)", where)
