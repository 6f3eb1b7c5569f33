"""Resampling of images: each row of the output is a weighted sum of rows, and so is each column.

    y[n,c,i,j] = Σ_h Σ_w R[i,h] · Q[j,w] · x[n,c,h,w]        y = R·x·Qᵀ for each image

with one matrix for each axis. It is linear: the gradient is the same with the transposed matrices,
``dx = Rᵀ·dy·Q``. Resizing (`resizing_matrix`) and averages over bins (`averaging_matrix`) are of
this kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ShapeError
from ..typing import Array
from .checks import as_floats, require_images

__all__ = ["Taps", "averaging_matrix", "bins", "resample2d", "resample2d_backward", "taps"]


class Taps(NamedTuple):
    """The numbers other than zero of a matrix (O, I).

    Attributes
    ----------
    columns : int array (O, K)
        Where they are; K is the most that a row has.
    weights : float64 array (O, K)
        What they are, followed by zeros.
    """

    columns: Array
    weights: Array


def taps(matrix: Array) -> Taps:
    """Return the columns and values of the numbers other than zero, row by row.

    Examples
    --------
    >>> taps(np.array([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]))
    Taps(columns=array([[1, 0],
           [1, 2]]), weights=array([[1. , 0. ],
           [0.5, 0.5]]))
    """
    used = matrix != 0
    order = np.argsort(~used, axis=1, kind="stable")[:, : max(1, used.sum(axis=1).max(initial=0))]
    return Taps(order, np.take_along_axis(matrix, order, axis=1))


def resample2d(x: Array, rows: Array, columns: Array) -> Array:
    """Return ``rows · x · columnsᵀ`` for each channel of each image.

    Zeros of a matrix multiply nothing: an infinite pixel reaches only the cells that read it.

    Parameters
    ----------
    x : array (N, C, H, W)
    rows : float64 array (OH, H)
    columns : float64 array (OW, W)

    Returns
    -------
    array (N, C, OH, OW)

    Examples
    --------
    >>> twice = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> resample2d(np.array([[[[1.0, 2.0]]]]), np.ones((1, 1)), twice)
    array([[[[1., 1., 2., 2.]]]])
    """
    require_images(x, "resample2d")
    x = as_floats(x)
    if x.shape[2:] != (rows.shape[1], columns.shape[1]):
        raise ShapeError(
            f"was given matrices for images of {rows.shape[1]}x{columns.shape[1]}, received shape "
            f"{x.shape}.",
            where="resample2d",
        )
    y = _weighted(_weighted(x, rows, 2), columns, 3)
    return y.astype(x.dtype, copy=False)


def resample2d_backward(dy: Array, rows: Array, columns: Array) -> Array:
    """Return the gradient ``rowsᵀ · dy · columns`` (N, C, H, W) for ``dy`` (N, C, OH, OW)."""
    return resample2d(dy, rows.T, columns.T)


def averaging_matrix(size: int, output: int) -> Array:
    """Return the matrix (output, size) that averages each of the `bins` of an axis.

    Examples
    --------
    >>> averaging_matrix(3, 2)
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]])
    """
    matrix = np.zeros((output, size))
    for i, (first, end) in enumerate(bins(size, output)):
        matrix[i, first:end] = 1 / (end - first)
    return matrix


def bins(size: int, output: int) -> list[tuple[int, int]]:
    """Return the ``output`` bins, of lengths as equal as possible, that cover an axis.

    Bin i goes from ``⌊i·size / output⌋`` to before ``⌈(i+1)·size / output⌉``, as in PyTorch: where
    the division has a rest, neighbours overlap by one cell.

    Examples
    --------
    >>> bins(7, 3)
    [(0, 3), (2, 5), (4, 7)]
    """
    return [(i * size // output, -(-(i + 1) * size // output)) for i in range(output)]


def _weighted(x: Array, matrix: Array, axis: int) -> Array:
    """Return the weighted sums along an axis, in float64 at least."""
    places, weights = taps(matrix)
    shape = [1] * x.ndim
    shape[axis] = len(matrix)
    y = np.zeros(1)
    for column, weight in zip(places.T, weights.T, strict=True):
        w = weight.reshape(shape)
        part = x.take(column, axis=axis) if x.shape[axis] else np.zeros(shape)
        term = np.zeros(part.shape, dtype=np.result_type(x, w))
        y = y + np.multiply(part, w, out=term, where=w != 0)
    return y
