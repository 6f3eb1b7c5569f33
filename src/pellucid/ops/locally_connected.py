"""Locally connected: windows as in a convolution, but filters that are not shared.

    y[n,o,i,j] = b[o,i,j] + Σ_{c,u,v} w[i,j,o,c,u,v] · x[n, c, S·i + D·u - P, S·j + D·v - P]

    ∂L/∂w[i,j,o,c,u,v] = Σ_n dy[n,o,i,j] · x[n, c, S·i + D·u - P, S·j + D·v - P]
    ∂L/∂b[o,i,j]       = Σ_n dy[n,o,i,j]
    ∂L/∂x              = the sum, at each cell of x, of w · dy over the windows that read it

That suits images whose parts are always at the same position, as in aligned faces (Taigman et al.
2014, "DeepFace", section 3; LeCun 1989, "Generalization and network design strategies", compares
both; CS231n, "Parameter sharing"). It needs OH·OW times the weights of a convolution, and as many
products.
"""

from __future__ import annotations

from ..errors import ShapeError
from ..shapes import Misfit, Padding, Windows, slide
from ..typing import Array, Pair
from .checks import as_terms, require_image_shape, require_images, require_no_wider, require_shape
from .im2col import fold, unfold
from .sums import total

__all__ = ["locally_connected2d", "locally_connected2d_backward", "locally_connected2d_windows"]


def locally_connected2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Apply to each window of ``x`` the filters ``w`` and biases ``b`` of its position.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    w : array (OH, OW, FN, C, FH, FW)
        ``w[i, j]`` are the filters (FN, C, FH, FW) at position (i, j).
    b : array (FN, OH, OW), optional
        One bias per output.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.

    Returns
    -------
    array (N, FN, OH, OW)

    Raises
    ------
    ShapeError
        If depth, bias, or the number of positions does not fit the images.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1, 1, 1)  # three places, one cell each
    >>> locally_connected2d(np.array([[[[1.0, 2.0, 3.0]]]]), w)
    array([[[[  1.,  20., 300.]]]])
    """
    require_images(x, "locally_connected2d")
    require_no_wider(x, "locally_connected2d", w=w, b=b)
    windows = locally_connected2d_windows(x.shape[1:], w.shape, stride, padding, dilation, misfit)
    n, (oh, ow) = len(x), windows.output
    # One product per position.
    y = _rows(unfold(as_terms(x, w), windows)) @ _matrices(w).swapaxes(1, 2)
    y = y.transpose(1, 2, 0).reshape(n, w.shape[2], oh, ow)
    if b is None:
        return y
    require_shape(b, (w.shape[2], oh, ow), "a bias", "(FN, OH, OW)", "locally_connected2d")
    return y + b


def locally_connected2d_backward(
    dy: Array,
    x: Array,
    w: Array,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> tuple[Array, Array, Array]:
    """Return ``dx`` (N, C, H, W), ``dw`` (OH, OW, FN, C, FH, FW) and ``db`` (FN, OH, OW).

    The arguments are those given to `locally_connected2d`; ``dy`` is (N, FN, OH, OW).

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[[[1.0, 2.0]]]]), np.array([3.0, 4.0]).reshape(1, 2, 1, 1, 1, 1)
    >>> dx, dw, db = locally_connected2d_backward(np.ones((1, 1, 1, 2)), x, w)
    >>> dx.ravel().tolist(), dw.ravel().tolist(), db.ravel().tolist()
    ([3.0, 4.0], [1.0, 2.0], [1.0, 1.0])
    """
    where = "locally_connected2d_backward"
    require_images(x, where)
    require_no_wider(x, where, w=w, dy=dy)
    windows = locally_connected2d_windows(x.shape[1:], w.shape, stride, padding, dilation, misfit)
    n, (oh, ow), (fh, fw) = len(x), windows.output, windows.window
    required = (n, w.shape[2], oh, ow)
    require_shape(dy, required, "an output gradient", "(N, FN, OH, OW)", where)
    rows = dy.transpose(2, 3, 0, 1).reshape(oh * ow, n, w.shape[2])
    dw = (rows.swapaxes(1, 2) @ _rows(unfold(x, windows))).reshape(w.shape)
    cells = (rows @ _matrices(w)).reshape(oh, ow, n, w.shape[3], fh, fw)
    return fold(cells.transpose(2, 3, 4, 5, 0, 1), windows), dw, total(dy, 0)


def locally_connected2d_windows(
    image_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Windows:
    """Return how windows of ``w_shape`` move over an image (C, H, W).

    Raises
    ------
    ShapeError
        If positions and windows differ in number, or the filters are not as deep as the image.
    """
    c, h, w = require_image_shape(image_shape, "locally_connected2d")
    if len(w_shape) != 6:
        raise ShapeError(
            f"expects filters (OH, OW, FN, C, FH, FW), received {w_shape}.",
            where="locally_connected2d",
        )
    if c != w_shape[3]:
        raise ShapeError(
            f"expects {w_shape[3]} input channels, received images of shape {tuple(image_shape)} "
            f"with {c}.",
            where="locally_connected2d",
        )
    if w_shape[2] < 1:
        raise ShapeError(
            f"expects a filter per position, received {w_shape}.", where="locally_connected2d"
        )
    windows = slide((h, w), w_shape[4:], stride, padding, dilation, misfit)
    if windows.output != w_shape[:2]:
        raise ShapeError(
            f"has filters for {w_shape[0]}x{w_shape[1]} positions, but an image of {h}x{w} has "
            f"{windows.output[0]}x{windows.output[1]}. Filters that are not shared fit one "
            "size of image: build the layer for this one.",
            where="locally_connected2d",
        )
    return windows


def _rows(cells: Array) -> Array:
    """Return the windows (N, C, FH, FW, OH, OW) as one matrix (N, C·FH·FW) per position."""
    n, c, fh, fw, oh, ow = cells.shape
    return cells.transpose(4, 5, 0, 1, 2, 3).reshape(oh * ow, n, c * fh * fw)


def _matrices(w: Array) -> Array:
    """Return the filters as one matrix (FN, C·FH·FW) per position."""
    oh, ow, fn, c, fh, fw = w.shape
    return w.reshape(oh * ow, fn, c * fh * fw)
