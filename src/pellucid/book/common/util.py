"""The book's `common.util`: curves, shuffling, and windows as rows."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...typing import Array

__all__ = [
    "col2im",
    "conv_output_size",
    "im2col",
    "np",
    "shuffle_dataset",
    "smooth_curve",
]

WINDOW, SHAPE = 11, 2  # length of the Kaiser window, and its beta


def smooth_curve(x: Array) -> Array:
    """Return ``x`` (at least 11 numbers) smoothed by a Kaiser window, in the same length.

    Examples
    --------
    >>> smooth_curve(np.ones(20)).round(6).tolist() == [1.0] * 20
    True
    """
    x = np.asarray(x)
    mirrored = np.r_[x[WINDOW - 1 : 0 : -1], x, x[-1:-WINDOW:-1]]
    window = np.kaiser(WINDOW, SHAPE)
    y = np.convolve(window / window.sum(), mirrored, mode="valid")
    return y[WINDOW // 2 : len(y) - WINDOW // 2]


def shuffle_dataset(x: Array, t: Array) -> tuple[Array, Array]:
    """Return both in the same random order, drawn by ``np.random.permutation``.

    Examples
    --------
    >>> np.random.seed(0)
    >>> shuffle_dataset(np.array([[1.0], [2.0], [3.0]]), np.array([1, 2, 3]))[1]
    array([3, 2, 1])
    """
    order = np.random.permutation(x.shape[0])  # noqa: NPY002 - the script's seed
    return x[order], t[order]


def conv_output_size(
    input_size: float, filter_size: float, stride: float = 1, pad: float = 0
) -> float:
    """Return ``(H + 2P - F) / S + 1``, which is not a whole number if the windows do not fit.

    Examples
    --------
    >>> conv_output_size(28, 5), conv_output_size(7, 2, stride=2)
    (24.0, 3.5)
    """
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    """Return every window of images (N, C, H, W) as a row, float64, (N·OH·OW, C·FH·FW).

    Examples
    --------
    >>> im2col(np.zeros((10, 3, 7, 7)), 5, 5).shape
    (90, 75)
    """
    return ops.im2col(
        np.asarray(input_data, np.float64), filter_h, filter_w, stride=stride, pad=pad
    )


def col2im(
    col: Array, input_shape: tuple[int, int, int, int], filter_h: int, filter_w: int,
    stride: int = 1, pad: int = 0,
) -> Array:  # fmt: skip
    """Add every number of ``col`` to the cell that `im2col` read it from; float64.

    Examples
    --------
    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    shape = (int(input_shape[0]), int(input_shape[1]), int(input_shape[2]), int(input_shape[3]))
    return ops.col2im(np.asarray(col, np.float64), shape, filter_h, filter_w, stride, pad)
