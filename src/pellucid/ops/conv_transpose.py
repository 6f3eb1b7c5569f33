"""Transposed convolution: the input gradient of a convolution, as an op in its own right.

A convolution is a matrix (see `pellucid.ops.convolution_matrix`); this is its transpose, that is,
the gradient of `conv2d` for its input. Every input cell adds a filter, scaled by its value, to the
output, S cells after its neighbour's; overlaps accumulate:

    y[n, o, S·i + D·u - P, S·j + D·v - P] += x[n,c,i,j] · w[c,o,u,v]      for all c, i, j, u, v

so that stride S enlarges images where a convolution shrinks them (Dumoulin & Visin 2016,
"A guide to convolution arithmetic", section 4; Zeiler et al. 2010, "Deconvolutional networks").
Its own gradients are the other two sums of that convolution, and the bias's:

    ∂L/∂x = the convolution of dy with w
    ∂L/∂w = that convolution's gradient for its filters, with x as its output gradient
    ∂L/∂b[o] = Σ_{n,i,j} dy[n,o,i,j]
"""

from __future__ import annotations

from ..errors import ArgumentError, ShapeError
from ..shapes import Padding, Windows, slide_transposed
from ..typing import Array, Pair
from .checks import (
    as_terms,
    require_count,
    require_image_shape,
    require_images,
    require_no_wider,
    require_shape,
)
from .conv import correlate, input_gradient, weight_gradient
from .sums import total

__all__ = ["conv_transpose2d", "conv_transpose2d_backward", "conv_transpose2d_windows"]


def conv_transpose2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Array:
    """Scatter the filters ``w``, scaled by the cells of ``x``, into the output, and add ``b``.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    w : array (C, FN/groups, FH, FW)
        Filters of the reverse convolution, from FN channels to C.
    b : array (FN,), optional
        One bias per output channel.
    stride, padding, dilation : int or (int, int)
        Those of the reverse convolution: padding is cropped. It may have four sides, or be "same"
        or "same_lower", as in `pellucid.shapes.slide_transposed`.
    output_padding : int or (int, int)
        Extra rows and columns at the end, fewer than stride or dilation.
    groups : int
        Number of equal groups that both channels are divided into.

    Returns
    -------
    array (N, FN, OH, OW), ``OH = (H - 1)·S - 2P + D·(FH-1) + 1 + output_padding``

    Raises
    ------
    ArgumentError, ShapeError
        If depth, bias or size does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[[1.0, 2.0]]]])
    >>> conv_transpose2d(x, np.array([[[[1.0, 1.0, 1.0]]]]), stride=2)
    array([[[[1., 1., 3., 2., 2.]]]])
    """
    require_images(x, "conv_transpose2d")
    require_no_wider(x, "conv_transpose2d", w=w, b=b)
    windows = conv_transpose2d_windows(
        x.shape[1:], w.shape, stride, padding, output_padding, groups, dilation
    )
    y = input_gradient(as_terms(x, w), w, windows, groups)
    if b is None:
        return y
    require_shape(b, y.shape[1:2], "a bias", "(FN,)", "conv_transpose2d")
    return y + b.reshape(1, -1, 1, 1)


def conv_transpose2d_backward(
    dy: Array,
    x: Array,
    w: Array,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> tuple[Array, Array, Array]:
    """Return ``dx`` (N, C, H, W), ``dw`` (C, FN/groups, FH, FW) and ``db`` (FN,) for ``dy``.

    The arguments are those given to `conv_transpose2d`; ``dy`` is (N, FN, OH, OW).

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 1.0, 1.0]]]])
    >>> dx, dw, db = conv_transpose2d_backward(np.ones((1, 1, 1, 5)), x, w, stride=2)
    >>> dx.ravel().tolist(), dw.ravel().tolist(), db.tolist()
    ([3.0, 3.0], [3.0, 3.0, 3.0], [5.0])
    """
    where = "conv_transpose2d_backward"
    require_images(x, where)
    require_no_wider(x, where, w=w, dy=dy)
    windows = conv_transpose2d_windows(
        x.shape[1:], w.shape, stride, padding, output_padding, groups, dilation
    )
    required = (len(x), w.shape[1] * groups, *windows.input)
    require_shape(dy, required, "an output gradient", "(N, FN, OH, OW)", where)
    dx = correlate(dy, w, windows, groups)
    return dx, weight_gradient(x, dy, windows, groups), total(dy, (0, 2, 3))


def conv_transpose2d_windows(
    image_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Windows:
    """Return the windows of the reverse convolution.

    ``windows.input`` is the size of the output, ``windows.output`` that of the image.

    Raises
    ------
    ArgumentError, ShapeError
        As for `conv_transpose2d`.
    """
    c, h, w = require_image_shape(image_shape, "conv_transpose2d")
    if len(w_shape) != 4:
        raise ShapeError(
            f"expects filters (C, FN, FH, FW), received {w_shape}.", where="conv_transpose2d"
        )
    if c != w_shape[0]:
        raise ShapeError(
            f"expects {w_shape[0]} input channels, received images of shape {tuple(image_shape)} "
            f"with {c}. Build it as `ConvTranspose2d({c}, ...)`, or feed it the output of a layer "
            f"with {w_shape[0]} filters.",
            where="conv_transpose2d",
        )
    if 0 in w_shape[:2]:
        raise ShapeError(
            f"expects at least one filter and one channel, received {w_shape}.",
            where="conv_transpose2d",
        )
    if c % require_count(groups, "groups"):
        raise ArgumentError(
            f"must divide the {c} input channels evenly, received {groups}.", where="groups"
        )
    return slide_transposed((h, w), w_shape[2:], stride, padding, output_padding, dilation)
