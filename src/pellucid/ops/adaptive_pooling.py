"""Adaptive pooling: the image is divided into as many bins as the output has cells.

The bins are those of `pellucid.ops.resampling.bins`. The average over a bin is the average over its
rows of the averages over its columns, so that it is a resampling by `averaging_matrix`. The maximum
is taken bin by bin, and ``dy`` goes to the argmax.
"""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..typing import Array
from .checks import require_images, require_real, require_shape
from .resampling import averaging_matrix, bins, resample2d, resample2d_backward

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
]


def adaptive_avg_pool2d(x: Array, output: tuple[int, int]) -> Array:
    """Average (N, C, H, W) over OH x OW bins; returns (N, C, OH, OW).

    Examples
    --------
    >>> adaptive_avg_pool2d(np.array([[[[1.0, 2.0, 6.0]]]]), (1, 2))
    array([[[[1.5, 4. ]]]])
    """
    _require_cells(x, "adaptive_avg_pool2d")
    return resample2d(x, *(averaging_matrix(x.shape[2 + a], output[a]) for a in (0, 1)))


def adaptive_avg_pool2d_backward(dy: Array, x_shape: tuple[int, ...]) -> Array:
    """Spread each ``dy`` evenly over its bin; returns (N, C, H, W)."""
    require_real(dy, "adaptive_avg_pool2d_backward", "dy")
    return resample2d_backward(
        dy, *(averaging_matrix(x_shape[2 + a], dy.shape[2 + a]) for a in (0, 1))
    )


def adaptive_max_pool2d(x: Array, output: tuple[int, int]) -> tuple[Array, Array]:
    """Take the maximum of each of OH x OW bins.

    Returns
    -------
    y : array (N, C, OH, OW)
    arg_max : integer array (N, C, OH, OW)
        The cell of the image, ``h·W + w``; the first of equals in its bin.

    Examples
    --------
    >>> y, arg_max = adaptive_max_pool2d(np.array([[[[1.0, 7.0, 6.0]]]]), (1, 2))
    >>> y.ravel().tolist(), arg_max.ravel().tolist()
    ([7.0, 7.0], [1, 1])
    """
    _require_cells(x, "adaptive_max_pool2d")
    (n, c, h, w), cells = x.shape, np.arange(x.shape[2] * x.shape[3]).reshape(x.shape[2:])
    arg_max = np.zeros((n, c, *output), dtype=np.intp)
    for i, (top, bottom) in enumerate(bins(h, output[0])):
        for j, (left, right) in enumerate(bins(w, output[1])):
            inside = x[:, :, top:bottom, left:right]
            winner = inside.reshape(n, c, (bottom - top) * (right - left)).argmax(axis=2)
            arg_max[:, :, i, j] = cells[top:bottom, left:right].ravel()[winner]
    flat = x.reshape(n, c, h * w)
    y = np.take_along_axis(flat, arg_max.reshape(n, c, output[0] * output[1]), axis=2)
    return y.reshape(arg_max.shape), arg_max


def adaptive_max_pool2d_backward(dy: Array, arg_max: Array, x_shape: tuple[int, ...]) -> Array:
    """Scatter each ``dy`` to the argmax of its bin; accumulate where bins overlap."""
    where = "adaptive_max_pool2d_backward"
    require_real(dy, where, "dy")
    require_shape(dy, arg_max.shape, "an output gradient", "(N, C, OH, OW)", where)
    n, c, h, w = x_shape
    flat = np.zeros((n, c, h * w), dtype=dy.dtype)
    images, channels = np.ogrid[:n, :c]
    places = arg_max.reshape(n, c, arg_max.shape[2] * arg_max.shape[3])
    np.add.at(
        flat, (images[..., np.newaxis], channels[..., np.newaxis], places), dy.reshape(places.shape)
    )
    return flat.reshape(x_shape)


def _require_cells(x: Array, where: str) -> None:
    """Refuse images without a single cell."""
    require_images(x, where)
    if 0 in x.shape[2:]:
        raise ShapeError(
            f"needs images of at least one row and one column, received shape {x.shape}.",
            where=where,
        )
