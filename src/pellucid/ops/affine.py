"""Affine maps of images, by bilinear interpolation.

    y[n,c,i,j] = x[n,c,i',j'],   (i', j') = m[n] · (i - ci, j - cj) + (ci, cj)

(ci, cj) is the centre of the image; m maps a point of the output to one of the input. Between
pixels x is interpolated bilinearly; outside the image it is the nearest pixel of its edge. The same
as PyTorch's ``grid_sample(..., padding_mode="border", align_corners=False)``.
"""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..typing import Array

__all__ = ["affine"]


def affine(x: Array, m: Array) -> Array:
    """Return the images mapped by their matrices.

    Parameters
    ----------
    x : float array (N, C, H, W)
    m : float array (N, 2, 2)
        Row and column of the input, relative to the centre, from those of the output.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> affine(x, np.array([[[0.0, 1.0], [-1.0, 0.0]]]))[0, 0]  # a quarter, counterclockwise
    array([[2., 5., 8.],
           [1., 4., 7.],
           [0., 3., 6.]])
    """
    if x.ndim != 4 or m.shape != (len(x), 2, 2):
        raise ShapeError(
            f"expects images (N, C, H, W) and matrices (N, 2, 2), received {x.shape} and "
            f"{m.shape}.",
            where="affine",
        )
    n, c, h, w = x.shape
    y, flat = np.empty_like(x), np.ascontiguousarray(x).reshape(n, c, h * w)
    ci, cj = (h - 1) / 2, (w - 1) / 2
    i, j = np.arange(h)[:, np.newaxis] - ci, np.arange(w) - cj
    for k, ((a, b), (d, e)) in enumerate(m):
        rows = np.clip(a * i + b * j + ci, 0, h - 1)
        columns = np.clip(d * i + e * j + cj, 0, w - 1)
        i0, j0 = rows.astype(np.intp), columns.astype(np.intp)
        down, right = (rows - i0).astype(x.dtype), (columns - j0).astype(x.dtype)
        below, beside = w * (i0 < h - 1), 1 * (j0 < w - 1)  # there is nothing after the last
        at = i0 * w + j0
        image = flat[k]
        top = image[:, at] * (1 - right) + image[:, at + beside] * right
        bottom = image[:, at + below] * (1 - right) + image[:, at + below + beside] * right
        y[k] = top * (1 - down) + bottom * down
    return y
