"""Convolution of images with filters, and its gradients.

    y[n,o,i,j] = b[o] + Σ_{c,u,v} w[o,c,u,v] · x[n, c, S·i + D·u - P, S·j + D·v - P]

(a cross-correlation, as everywhere in the field: the filter is not flipped). By im2col it is the
matrix product ``col · Wᵀ + b`` ("Deep Learning from Scratch", section 7.4.3). Its gradients are

    ∂L/∂w[o,c,u,v] = Σ_{n,i,j} dy[n,o,i,j] · x[n, c, S·i + D·u - P, S·j + D·v - P]
    ∂L/∂b[o]       = Σ_{n,i,j} dy[n,o,i,j]
    ∂L/∂x          = the sum, at each cell of x, of w · dy over the windows that read it

and both are convolutions themselves: see `conv2d_backward_as_convolutions`
(Dumoulin & Visin 2016, "A guide to convolution arithmetic", section 4).

With G groups, filter o sees only the C/G channels of its own group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..shapes import Misfit, Padding, Windows, slide
from ..typing import Array, Pair
from .checks import (
    as_terms,
    require_count,
    require_image_shape,
    require_images,
    require_no_wider,
    require_real,
    require_shape,
)
from .im2col import crop_padding, fold, pad_images, unfold
from .sums import total

__all__ = [
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_as_convolutions",
    "conv2d_windows",
]


def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Convolve images ``x`` with filters ``w`` and add the bias ``b``.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    w : array (FN, C/groups, FH, FW)
        Filters.
    b : array (FN,), optional
        One bias per filter.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.
    groups : int
        Number of equal groups that channels and filters are divided into.

    Returns
    -------
    array (N, FN, OH, OW)

    Raises
    ------
    ShapeError
        If depth, bias or window does not fit the images.

    Examples
    --------
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> edge = np.array([[[[1.0, 0.0, -1.0]]]])
    >>> conv2d(x, edge)[0, 0]
    array([[-2., -2.],
           [-2., -2.],
           [-2., -2.],
           [-2., -2.]])
    """
    require_images(x, "conv2d")
    require_real(w, "conv2d", "w")
    require_no_wider(x, "conv2d", w=w, b=b)
    windows = conv2d_windows(x.shape[1:], w.shape, stride, padding, dilation, groups, misfit)
    if b is not None:
        require_shape(b, (len(w),), "a bias", "(FN,)", "conv2d")
    y = correlate(as_terms(x, w), w, windows, groups)
    return y if b is None else y + b.reshape(1, -1, 1, 1)


def conv2d_backward(
    dy: Array,
    x: Array,
    w: Array,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> tuple[Array, Array, Array]:
    """Return the gradients ``(dx, dw, db)`` by matrix products and col2im, as the book does.

    Parameters
    ----------
    dy : array (N, FN, OH, OW)
        Gradient of the loss with respect to the output of `conv2d`.
    x, w, stride, padding, dilation, groups, misfit
        As given to `conv2d`.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (FN, C/groups, FH, FW)
    db : array (FN,)

    Examples
    --------
    >>> x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> dx, dw, db = conv2d_backward(np.ones((1, 1, 2, 2)), x, w)
    >>> dx[0, 0].tolist(), dw[0, 0].tolist(), db.tolist()
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], [[4.0, 4.0], [4.0, 4.0]], [4.0])
    """
    _require_arrays(dy, x, w)
    windows = conv2d_windows(x.shape[1:], w.shape, stride, padding, dilation, groups, misfit)
    _require_output_gradient(dy, x, w, windows)
    dx = input_gradient(dy, w, windows, groups)
    return dx, weight_gradient(dy, x, windows, groups), total(dy, (0, 2, 3))


def conv2d_backward_as_convolutions(
    dy: Array,
    x: Array,
    w: Array,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> tuple[Array, Array, Array]:
    """Return the same ``(dx, dw, db)`` as `conv2d_backward`, written as convolutions.

    * ``dx``: insert S - 1 zeros between the cells of ``dy``, pad it by E - 1, and convolve it with
      the filters, flipped in both directions, their input and output axes swapped.
    * ``dw``: convolve ``x`` with ``dy`` as the filter, stride and dilation swapped.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, w = rng.normal(size=(2, 3, 7, 7)), rng.normal(size=(4, 3, 3, 3))
    >>> dy = rng.normal(size=(2, 4, 3, 3))
    >>> one = conv2d_backward(dy, x, w, stride=2)
    >>> two = conv2d_backward_as_convolutions(dy, x, w, stride=2)
    >>> all(np.allclose(a, b) for a, b in zip(one, two))
    True
    """
    _require_arrays(dy, x, w)
    windows = conv2d_windows(x.shape[1:], w.shape, stride, padding, dilation, groups, misfit)
    _require_output_gradient(dy, x, w, windows)
    (fh, fw), (sh, sw), (oh, ow) = windows.window, windows.stride, windows.output
    (eh, ew), (ph, pw) = windows.extent, windows.padded
    rest_h, rest_w = ph - eh - sh * (oh - 1), pw - ew - sw * (ow - 1)
    spread = np.zeros((*dy.shape[:2], sh * (oh - 1) + 1, sw * (ow - 1) + 1), dtype=dy.dtype)
    spread[:, :, ::sh, ::sw] = dy
    around = slide(
        spread.shape[2:], (fh, fw), 1, (eh - 1, eh - 1 + rest_h, ew - 1, ew - 1 + rest_w),
        windows.dilation,
    )  # fmt: skip
    over_x = slide(windows.padded, (oh, ow), windows.dilation, 0, windows.stride)
    padded = pad_images(x, windows)
    dx, dw = [], []
    for c, o in _by_group(x.shape[1], len(w), groups):
        flipped = w[o, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        dx.append(crop_padding(_correlate(spread[:, o], flipped, around), windows))
        by_channel, by_filter = padded[:, c].swapaxes(0, 1), dy[:, o].swapaxes(0, 1)
        dw.append(_correlate(by_channel, by_filter, over_x)[:, :, :fh, :fw].swapaxes(0, 1))
    return np.concatenate(dx, axis=1), np.concatenate(dw), total(dy, (0, 2, 3))


def conv2d_windows(
    image_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> Windows:
    """Return the windows of filters of ``w_shape`` over an image (C, H, W).

    Raises
    ------
    ShapeError
        If the filters are not as deep as the image, or larger than it.
    ArgumentError
        If ``groups`` does not divide both the channels and the filters.
    """
    c, h, w = require_image_shape(image_shape, "conv2d")
    if len(w_shape) != 4:
        raise ShapeError(f"expects filters (FN, C, FH, FW), received {w_shape}.", where="conv2d")
    fn, depth, fh, fw = w_shape
    if fn < 1:
        raise ShapeError(f"expects at least one filter, received {w_shape}.", where="conv2d")
    groups = require_count(groups, "groups")
    if fn % groups:
        raise ArgumentError(
            f"must divide the {fn} filters evenly, received {groups}.", where="groups"
        )
    if c != depth * groups:
        raise ShapeError(
            f"expects {depth * groups} input channels, received images of shape "
            f"{tuple(image_shape)} with {c}. A filter must be as deep as its input: build it as "
            f"`Conv2d({c}, ...)`, or feed it the output of a layer with {depth * groups} filters.",
            where="conv2d",
        )
    return slide((h, w), (fh, fw), stride, padding, dilation, misfit)


def correlate(x: Array, w: Array, windows: Windows, groups: int = 1) -> Array:
    """Return the sums of w · x over ``windows``, (N, FN, OH, OW): ``col · Wᵀ`` for each group."""
    y = [_correlate(x[:, c], w[o], windows) for c, o in _by_group(x.shape[1], len(w), groups)]
    return y[0] if groups == 1 else np.concatenate(y, axis=1)


def input_gradient(dy: Array, w: Array, windows: Windows, groups: int = 1) -> Array:
    """Return ``dx`` (N, C, H, W): accumulate every ``w · dy`` in the cells its window read."""
    n, (fh, fw), (oh, ow) = len(dy), windows.window, windows.output
    depth, dx = w.shape[1], []
    for _, o in _by_group(depth * groups, len(w), groups):
        rows = dy[:, o].transpose(0, 2, 3, 1).reshape(n * oh * ow, len(w[o]))
        cells = rows @ w[o].reshape(len(w[o]), w[0].size)
        dx.append(
            fold(cells.reshape(n, oh, ow, depth, fh, fw).transpose(0, 3, 4, 5, 1, 2), windows)
        )
    return np.concatenate(dx, axis=1)


def weight_gradient(dy: Array, x: Array, windows: Windows, groups: int = 1) -> Array:
    """Return ``dw`` (FN, C/groups, FH, FW): the sums of the cells each window read times ``dy``."""
    n, (oh, ow), depth = len(x), windows.output, x.shape[1] // groups
    size, dw = depth * math.prod(windows.window), []
    for c, o in _by_group(x.shape[1], dy.shape[1], groups):
        col = unfold(x[:, c], windows).transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, size)
        rows = dy[:, o].transpose(0, 2, 3, 1).reshape(n * oh * ow, dy.shape[1] // groups)
        dw.append((rows.T @ col).reshape(rows.shape[1], depth, *windows.window))
    return np.concatenate(dw)


def _correlate(x: Array, w: Array, windows: Windows) -> Array:
    """Return ``col · Wᵀ``, transposed to (N, FN, OH, OW)."""
    n, (oh, ow) = len(x), windows.output
    col = unfold(x, windows).transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, w[0].size)
    y = col @ w.reshape(len(w), -1).T
    return y.reshape(n, oh, ow, len(w)).transpose(0, 3, 1, 2)


def _by_group(c: int, fn: int, groups: int) -> Iterator[tuple[slice, slice]]:
    """Yield the channels and the filters of each group."""
    for g in range(groups):
        channels = slice(g * c // groups, (g + 1) * c // groups)
        yield channels, slice(g * fn // groups, (g + 1) * fn // groups)


def _require_arrays(dy: Array, x: Array, w: Array) -> None:
    require_images(x, "conv2d_backward")
    require_no_wider(x, "conv2d_backward", w=w, dy=dy)


def _require_output_gradient(dy: Array, x: Array, w: Array, windows: Windows) -> None:
    required = (len(x), len(w), *windows.output)
    require_shape(dy, required, "an output gradient", "(N, FN, OH, OW)", "conv2d_backward")
