"""Joins of several values, and functions that move numbers, as a file of NumPy has them."""

from __future__ import annotations

import numpy as np

from ....typing import Array

__all__: list[str] = []


def concat(*values: Array, axis: int = 1) -> Array:
    """Put values side by side along an axis."""
    return np.concatenate(values, axis=axis)


def maximum(*values: Array) -> Array:
    """Return the larger number at each place."""
    return np.maximum.reduce(np.broadcast_arrays(*values))


def minimum(*values: Array) -> Array:
    """Return the smaller number at each place."""
    return np.minimum.reduce(np.broadcast_arrays(*values))


def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Return each image's numbers in another shape, in the same order."""
    return x.reshape(len(x), *shape)


def permute(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Return x with its axes in another order."""
    return x.transpose(axes)


def part(
    x: Array, *, axis: int, start: int | None = None, stop: int | None = None, step: int = 1
) -> Array:
    """Return x[start:stop:step] along an axis."""
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


def mean_over(x: Array, *, axes: tuple[int, ...], keep: bool = True) -> Array:
    """Return the mean along axes; `keep` leaves them, with length 1."""
    return x.mean(axis=axes, keepdims=keep)


def sum_over(x: Array, *, axes: tuple[int, ...], keep: bool = True) -> Array:
    """Return the sum along axes; `keep` leaves them, with length 1."""
    return x.sum(axis=axes, keepdims=keep)


def max_over(x: Array, *, axes: tuple[int, ...], keep: bool = True) -> Array:
    """Return the maximum along axes; `keep` leaves them, with length 1."""
    return x.max(axis=axes, keepdims=keep)


def min_over(x: Array, *, axes: tuple[int, ...], keep: bool = True) -> Array:
    """Return the minimum along axes; `keep` leaves them, with length 1."""
    return x.min(axis=axes, keepdims=keep)


def lp_over(x: Array, *, p: float) -> Array:
    """Return the Lp norm of each image's channel, (Σ |x|^p)^(1/p)."""
    return (np.abs(x) ** p).sum(axis=(2, 3), keepdims=True) ** (1 / p)


def pad2d(
    x: Array, *, sides: tuple[int, int, int, int], mode: str = "constant", value: float = 0.0
) -> Array:
    """Pad images by (top, bottom, left, right) cells; a negative number removes some."""
    top, bottom, left, right = sides
    h, w = x.shape[2:]
    x = x[:, :, max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    around = [(0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    if mode == "constant":
        return np.pad(x, around, constant_values=value)
    return np.pad(x, around, mode=mode)  # type: ignore[call-overload]


def pixel_shuffle(x: Array, *, factor: int, mode: str = "CRD") -> Array:
    """Turn groups of r² channels into blocks of r x r pixels: C·r², H, W to C, H·r, W·r."""
    (n, c, h, w), r = x.shape, factor
    if mode == "CRD":
        blocks = x.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        blocks = x.reshape(n, r, r, c // r**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // r**2, h * r, w * r)


def pixel_unshuffle(x: Array, *, factor: int, mode: str = "CRD") -> Array:
    """Turn blocks of r x r pixels into groups of r² channels: the reverse of pixel_shuffle."""
    (n, c, h, w), r = x.shape, factor
    cells = x.reshape(n, c, h // r, r, w // r, r)
    order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return cells.transpose(order).reshape(n, c * r**2, h // r, w // r)


def zero_pad_shortcut(x: Array, *, stride: tuple[int, int], channels: int) -> Array:
    """Take every S-th pixel, and add channels of zeros."""
    more = ((0, 0), (0, channels - x.shape[1]), (0, 0), (0, 0))
    return np.pad(x[:, :, :: stride[0], :: stride[1]], more)
