"""im2col and col2im: windows of an image as the rows of a matrix, and back.

With ``x[n,c,y,x]`` the images and windows at ``(oy, ox)``, the matrix is

    col[(n,oy,ox), (c,fy,fx)] = x[n, c, S·oy + D·fy - P, S·ox + D·fx - P]

so that a convolution is one matrix product ("Deep Learning from Scratch", section 7.4.2).
``col2im`` is its transpose: it accumulates every entry in the cell it was read from.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import ShapeError
from ..shapes import Misfit, Padding, Windows, slide
from ..typing import Array, Pair
from .checks import require_images, require_shape

__all__ = ["col2im", "im2col"]


def im2col(
    x: Array,
    filter_h: int,
    filter_w: int,
    stride: Pair = 1,
    pad: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Lay out every window of ``x`` as one row.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images, of real numbers of any dtype.
    filter_h, filter_w : int
        Rows and columns of the window.
    stride, pad, dilation, misfit
        As in `pellucid.shapes.slide`.

    Returns
    -------
    array (N·OH·OW, C·filter_h·filter_w), dtype of ``x``
        Rows in the order (n, oy, ox), columns in the order (c, fy, fx).

    Examples
    --------
    >>> im2col(np.arange(48).reshape(1, 3, 4, 4), 1, 1)[:2]
    array([[ 0, 16, 32],
           [ 1, 17, 33]])
    >>> im2col(np.zeros((10, 3, 7, 7)), 5, 5).shape
    (90, 75)
    """
    require_images(x, "im2col")
    windows = slide(x.shape[2:], (filter_h, filter_w), stride, pad, dilation, misfit)
    rows, columns = len(x) * windows.count, x.shape[1] * filter_h * filter_w
    return unfold(x, windows).transpose(0, 4, 5, 1, 2, 3).reshape(rows, columns)


def col2im(
    col: Array,
    input_shape: tuple[int, int, int, int],
    filter_h: int,
    filter_w: int,
    stride: Pair = 1,
    pad: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Accumulate every entry of ``col`` in the cell that `im2col` read it from.

    Parameters
    ----------
    col : array (N·OH·OW, C·filter_h·filter_w)
        As `im2col` returns it.
    input_shape : (N, C, H, W)
        Shape of the images; the other arguments are those given to `im2col`.

    Returns
    -------
    array (N, C, H, W), dtype of ``col``

    Examples
    --------
    Each cell is counted once for each window that covers it:

    >>> x = np.ones((1, 1, 3, 3))
    >>> col2im(im2col(x, 2, 2), x.shape, 2, 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    if len(input_shape) != 4:
        raise ShapeError(f"must be (N, C, H, W), received {input_shape}.", where="input_shape")
    n, c, h, w = input_shape
    windows = slide((h, w), (filter_h, filter_w), stride, pad, dilation, misfit)
    oh, ow = windows.output
    required = (n * oh * ow, c * filter_h * filter_w)
    require_shape(col, required, "col", "(N·OH·OW, C·FH·FW)", "col2im")
    cells = col.reshape(n, oh, ow, c, filter_h, filter_w).transpose(0, 3, 4, 5, 1, 2)
    return fold(cells, windows)


def unfold(x: Array, windows: Windows, fill: float = 0) -> Array:
    """Return the cells of every window, shape (N, C, FH, FW, OH, OW); padding holds ``fill``."""
    n, c = x.shape[:2]
    padded = pad_images(x, windows, fill)
    cells = np.empty((n, c, *windows.window, *windows.output), dtype=x.dtype)
    for fy, fx, rows, columns in _taps(windows):
        cells[:, :, fy, fx] = padded[:, :, rows, columns]
    return cells


def fold(cells: Array, windows: Windows) -> Array:
    """Accumulate the cells (N, C, FH, FW, OH, OW) of every window in images (N, C, H, W)."""
    n, c = cells.shape[:2]
    padded = np.zeros((n, c, *windows.padded), dtype=cells.dtype)
    for fy, fx, rows, columns in _taps(windows):
        padded[:, :, rows, columns] += cells[:, :, fy, fx]
    return crop_padding(padded, windows)


def pad_images(x: Array, windows: Windows, fill: float = 0) -> Array:
    """Return ``x`` padded as ``windows`` says, with ``fill``."""
    if windows.padding == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), (0, 0), *windows.padding), constant_values=fill)


def crop_padding(padded: Array, windows: Windows) -> Array:
    """Return the images without the padding of ``windows``."""
    (top, _), (left, _) = windows.padding
    h, w = windows.input
    return padded[:, :, top : top + h, left : left + w]


def _taps(windows: Windows) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield each cell (fy, fx) of the window with the rows and columns it visits."""
    (fh, fw), (sh, sw) = windows.window, windows.stride
    (dh, dw), (oh, ow) = windows.dilation, windows.output
    for fy in range(fh):
        for fx in range(fw):
            rows = slice(dh * fy, dh * fy + sh * (oh - 1) + 1, sh)
            columns = slice(dw * fx, dw * fx + sw * (ow - 1) + 1, sw)
            yield fy, fx, rows, columns
