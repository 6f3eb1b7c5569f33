"""Layers in 8-bit integers, as a file of NumPy has them."""

from __future__ import annotations

import numpy as np

from ....typing import Array
from .connected import linear
from .windows import conv2d

__all__ = ["quantized_conv2d", "quantized_linear"]


def centred(x: Array, scale: float, zero_point: int) -> Array:
    """Return the codes of numbers, without the code of 0: q - z = round(x / s), from -z to 255 - z.

    They are whole numbers in float64, which holds every sum of their products exactly, and which
    NumPy multiplies faster than integers.
    """
    codes = np.rint(x * (np.float32(1) / np.float32(scale)))
    return np.clip(np.nan_to_num(codes, nan=-np.inf), -zero_point, 255 - zero_point).astype(float)


def rescaled(sums: Array, scale: Array, bias: Array | None) -> Array:
    """Return b + s · t · Σ, in float32; `scale` is the s · t of each filter."""
    y = sums.astype(np.float32) * scale
    return y if bias is None else y + bias


def quantized_conv2d(
    x: Array,
    weight: Array,
    weight_scale: Array,
    bias: Array | None = None,
    *,
    scale: float,
    zero_point: int,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Slide filters of integers w over images, whose numbers become bytes q first.

        y[n,o,i,j] = b[o] + s · t[o] · Σ w[o,c,u,v] · (q[n, c, S·i + D·u - P, ...] - z)

    A byte q stands for the number s · (q - z), and w[o] for t[o] · w[o] (`weight_scale`).
    """
    q, w = centred(x, scale, zero_point), weight.astype(float)
    sums = conv2d(q, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    column = (-1, 1, 1)
    b = None if bias is None else bias.reshape(column)
    return rescaled(sums, np.float32(scale) * weight_scale.reshape(column), b)


def quantized_linear(
    x: Array,
    weight: Array,
    weight_scale: Array,
    bias: Array | None = None,
    *,
    scale: float,
    zero_point: int,
) -> Array:
    """Return b + s · t · (q - z) · wᵀ over the last axis, of bytes q and integers w."""
    sums = linear(centred(x, scale, zero_point), weight.astype(float))
    return rescaled(sums, np.float32(scale) * weight_scale, bias)
