"""Functions of sliding windows, as a file of NumPy has them."""

# The definitions below are copied into the file that `to_numpy` writes, each with what it calls.

from __future__ import annotations

import numpy as np

from ....typing import Array

__all__ = [
    "adaptive_max_pool2d",
    "avg_pool2d",
    "conv2d",
    "conv_transpose2d",
    "locally_connected2d",
    "lp_pool2d",
    "max_pool2d",
]


def windows_of(
    x: Array,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
    fill: float = 0.0,
) -> Array:
    """Return all windows of the images x (N, C, H, W): a view (N, C, OH, OW, FH, FW).

    The padding is (top, bottom, left, right), cells of the number `fill`. Along one axis there are
    O = (H + padding - D·(F - 1) - 1) // S + 1 windows.
    """
    top, bottom, left, right = padding
    if any(padding):
        sides = ((0, 0), (0, 0), (top, bottom), (left, right))
        x = np.pad(x, sides, constant_values=fill)
    (fh, fw), (sh, sw), (dh, dw) = size, stride, dilation
    extent = (dh * (fh - 1) + 1, dw * (fw - 1) + 1)
    everywhere = np.lib.stride_tricks.sliding_window_view(x, extent, axis=(2, 3))
    return everywhere[:, :, ::sh, ::sw, ::dh, ::dw]


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Slide filters over images, as one product of matrices (im2col).

        y[n,o,i,j] = b[o] + Σ w[o,c,u,v] · x[n, c, S·i + D·u - P, S·j + D·v - P]

    Each window becomes a column of C·FH·FW numbers. With groups, the filters of a group see only
    the channels of that group.
    """
    windows = windows_of(x, weight.shape[2:], stride, padding, dilation)
    n, c, oh, ow, fh, fw = windows.shape
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, groups, c // groups * fh * fw, oh * ow)
    filters = weight.reshape(groups, len(weight) // groups, -1)
    y = (filters @ columns).reshape(n, len(weight), oh, ow)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    size: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Add each number of x, times its filter, to the output: a convolution in reverse.

        y[n, o, S·i + D·u - P, S·j + D·v - P] += w[c,o,u,v] · x[n,c,i,j]

    The padding is cropped from the output, whose rows and columns are `size`.
    """
    n, c, h, w = x.shape
    _, outputs, fh, fw = weight.shape
    (top, bottom, left, right), (sh, sw), (dh, dw) = padding, stride, dilation
    filters = weight.reshape(groups, c // groups, outputs * fh * fw).swapaxes(1, 2)
    parts = filters @ x.reshape(n, groups, c // groups, h * w)
    parts = parts.reshape(n, groups * outputs, fh, fw, h, w)
    rows = max(size[0] + top + bottom, (h - 1) * sh + dh * (fh - 1) + 1)
    columns = max(size[1] + left + right, (w - 1) * sw + dw * (fw - 1) + 1)
    y = np.zeros((n, groups * outputs, rows, columns), x.dtype)
    for u in range(fh):
        for v in range(fw):
            i, j = dh * u, dw * v
            y[:, :, i : i + sh * h : sh, j : j + sw * w : sw] += parts[:, :, u, v]
    y = y[:, :, top : top + size[0], left : left + size[1]]
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def locally_connected2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Array:
    """Multiply each window by filters of its own place; weight is (OH, OW, FN, C, FH, FW)."""
    windows = windows_of(x, weight.shape[4:], stride, padding, dilation)
    y = np.einsum("ncijuv,ijocuv->noij", windows, weight, optimize=True)
    return y if bias is None else y + bias


def max_pool2d(
    x: Array,
    *,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Array:
    """Return the largest number of each window; the padding is never it."""
    return windows_of(x, size, stride, padding, dilation, -np.inf).max(axis=(4, 5))


def avg_pool2d(
    x: Array,
    counts: Array | None = None,
    *,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Array:
    """Return the mean of each window; `counts` (OH, OW) says of how many of its cells."""
    windows = windows_of(x, size, stride, padding, dilation)
    return windows.mean(axis=(4, 5)) if counts is None else windows.sum(axis=(4, 5)) / counts


def lp_pool2d(
    x: Array,
    *,
    p: float,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Array:
    """Return the Lp norm of each window, (Σ |x|^p)^(1/p)."""
    windows = windows_of(np.abs(x) ** p, size, stride, padding, dilation)
    return windows.sum(axis=(4, 5)) ** (1 / p)


def adaptive_max_pool2d(
    x: Array, *, rows: tuple[tuple[int, int], ...], columns: tuple[tuple[int, int], ...]
) -> Array:
    """Return the largest number of each bin, where rows and columns say (from, to)."""
    bands = [x[:, :, a:b].max(axis=2) for a, b in rows]
    image = np.stack(bands, axis=2)
    return np.stack([image[:, :, :, a:b].max(axis=3) for a, b in columns], axis=3)
