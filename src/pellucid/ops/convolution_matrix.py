"""A convolution as a matrix, to show that it is a fully connected layer.

With image and output flattened, it is a product with a matrix that has one row per window,

    m[(o,i,j), (c,y,x)] = w[o,c,u,v]   where   y = S·i + D·u - P  and  x = S·j + D·v - P

and 0 elsewhere: a fully connected layer with most weights 0 (local connections) and the others
repeated from block to block (shared filters). (CS231n, "Converting FC layers to CONV
layers"; Dumoulin & Visin 2016, section 4.1.) Its transpose is the transposed convolution.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ArgumentError
from ..shapes import Misfit, Padding
from ..typing import Array, Pair
from .checks import require_real
from .conv import conv2d_windows
from .im2col import unfold

__all__ = ["convolution_matrix"]

MOST_NUMBERS = 10**8  # 400 MB of float32: meant for looking at, not for computing


def convolution_matrix(
    w: Array,
    image_shape: tuple[int, int, int],
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Return the matrix whose product with a flattened image is the flattened `conv2d`.

    Parameters
    ----------
    w : array (FN, C/groups, FH, FW)
        Filters.
    image_shape : (C, H, W)
        One image.
    stride, padding, dilation, groups, misfit
        As for `conv2d`.

    Returns
    -------
    array (FN·OH·OW, C·H·W), dtype of ``w``
        The weight of a `Linear`; its bias repeats each filter's OH·OW times.

    Raises
    ------
    ArgumentError, ShapeError
        If the matrix would have more than 10⁸ numbers; if filters and image do not fit.

    Examples
    --------
    A filter of 2x2 on an image of 3x3: four windows, nine cells.

    >>> w = np.array([[[[1, 2], [3, 4]]]])
    >>> convolution_matrix(w, (1, 3, 3))
    array([[1, 2, 0, 3, 4, 0, 0, 0, 0],
           [0, 1, 2, 0, 3, 4, 0, 0, 0],
           [0, 0, 0, 1, 2, 0, 3, 4, 0],
           [0, 0, 0, 0, 1, 2, 0, 3, 4]])
    """
    require_real(w, "convolution_matrix", "w")
    windows = conv2d_windows(image_shape, w.shape, stride, padding, dilation, groups, misfit)
    cells, fn, (oh, ow) = math.prod(image_shape), len(w), windows.output
    if fn * windows.count * cells > MOST_NUMBERS:
        raise ArgumentError(
            f"would be {fn * windows.count:,} x {cells:,} numbers, of which all but "
            f"{w[0].size:,} per row are 0; at most {MOST_NUMBERS:,} are allowed. Use a smaller "
            "image, or `conv2d`.",
            where="convolution_matrix",
        )
    numbered = np.arange(1, cells + 1).reshape(1, *image_shape)
    read = unfold(numbered, windows)[0].transpose(3, 4, 0, 1, 2)  # (OH, OW, C, FH, FW); padding: 0
    matrix = np.zeros((fn, oh, ow, 1 + cells), dtype=w.dtype)
    depth = w.shape[1]
    for o in range(fn):
        first = o // (fn // groups) * depth
        columns = read[:, :, first : first + depth].reshape(oh, ow, w[0].size)
        np.put_along_axis(matrix[o], columns, w[o].reshape(1, 1, w[0].size), axis=-1)
    return matrix[..., 1:].reshape(fn * oh * ow, cells)
