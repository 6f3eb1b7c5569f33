"""Layers in 8-bit integers: numbers as multiples of a scale, sums of products in integers.

A real number x is stored as the code q, a byte, with one scale s and one zero point z for all of
an array (Jacob et al. 2017, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 2.1):

    q = min(max(round(x / s) + z, 0), 255),    x ≈ s · (q - z)

Weights are stored likewise, from -127 to 127, with a zero point of 0 and one scale for each filter
or output. So a convolution is one of integers, exact, followed by one multiplication:

    y[n,o,i,j] = b[o] + s · t[o] · Σ_{c,u,v} w[o,c,u,v] · (q[n, c, S·i + D·u - P, ...] - z)

A pixel of the padding is a real 0, whose code is z.
"""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..shapes import Misfit, Padding
from ..typing import Array, Pair
from .checks import as_floats
from .conv import conv2d
from .linear import linear

__all__ = ["dequantize", "quantize", "quantize_weights", "quantized_conv2d", "quantized_linear"]

LARGEST_CODE, LARGEST_WEIGHT = 255, 127


def quantize(x: Array, scale: float, zero_point: int) -> Array:
    """Return the codes of real numbers: round half to even, and keep them from 0 to 255.

    NaN has the code 0, as the smallest number has.

    Parameters
    ----------
    x : array
    scale : float
        s, above 0. It is multiplied by its reciprocal in float32.
    zero_point : int
        z, the code of 0.

    Returns
    -------
    uint8 array, shaped like ``x``

    Examples
    --------
    >>> quantize(np.array([-1.0, 0.0, 0.26, 200.0]), 0.5, 10)
    array([  8,  10,  11, 255], dtype=uint8)
    """
    # In float32, and by the reciprocal, as a kernel does: a code must be the same everywhere.
    x = as_floats(x, "quantize").astype(np.float32, copy=False)
    codes = np.rint(x * (np.float32(1) / np.float32(scale))) + np.float32(zero_point)
    return np.clip(np.nan_to_num(codes, nan=0), 0, LARGEST_CODE).astype(np.uint8)


def dequantize(q: Array, scale: float, zero_point: int) -> Array:
    """Return ``s · (q - z)``, the real numbers that codes stand for, in float32.

    Examples
    --------
    >>> dequantize(np.array([8, 10, 255], dtype=np.uint8), 0.5, 10)
    array([ -1. ,   0. , 122.5], dtype=float32)
    """
    return np.float32(scale) * (q.astype(np.float32) - np.float32(zero_point))


def quantize_weights(w: Array) -> tuple[Array, Array]:
    """Return weights (FN, ...) as codes, and the scale of each filter or output.

    Each scale is the largest absolute value of a filter, divided by 127; 1 if all are 0.

    Returns
    -------
    codes : int8 array, shaped like ``w``
        From -127 to 127.
    scales : float32 array (FN,)

    Raises
    ------
    ArgumentError
        If a weight is not finite.

    Examples
    --------
    >>> quantize_weights(np.array([[0.5, -1.27], [0.0, 0.0]]))
    (array([[  50, -127],
           [   0,    0]], dtype=int8), array([0.01, 1.  ], dtype=float32))
    """
    if not np.isfinite(w).all():
        raise ArgumentError(
            "expects finite weights, received infinite ones or NaN: the training diverged.",
            where="quantize_weights",
        )
    largest = np.abs(w.reshape(len(w), -1).astype(np.float64)).max(axis=1)
    scales = np.where(largest > 0, largest / LARGEST_WEIGHT, 1).astype(np.float32)
    scales[scales == 0] = 1  # of numbers too small for one
    along = (-1, *(1,) * (w.ndim - 1))
    codes = np.rint(w / scales.reshape(along).astype(np.float64))
    return np.clip(codes, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8), scales


def quantized_conv2d(
    x: Array,
    w: Array,
    w_scale: Array,
    b: Array | None = None,
    *,
    scale: float,
    zero_point: int,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    misfit: Misfit = "floor",
) -> Array:
    """Convolve images with filters of 8-bit integers, see the module.

    Parameters
    ----------
    x : array (N, C, H, W)
        Real numbers, which are quantized first.
    w : int8 array (FN, C/groups, FH, FW)
    w_scale : array (FN,)
        t, the scale of each filter.
    b : array (FN,), optional
    scale, zero_point
        s and z, see `quantize`.
    stride, padding, dilation, groups, misfit
        As for `pellucid.ops.conv2d`.

    Returns
    -------
    float32 array (N, FN, OH, OW)

    Examples
    --------
    >>> w, t = quantize_weights(np.array([[[[1.27, -0.5]]]]))
    >>> quantized_conv2d(np.array([[[[2.0, 1.0]]]]), w, t, scale=0.01, zero_point=0)
    array([[[[2.04]]]], dtype=float32)
    """
    sums = conv2d(
        _centred(x, scale, zero_point), w, stride=stride, padding=padding, dilation=dilation,
        groups=groups, misfit=misfit,
    )  # fmt: skip
    return _rescaled(sums, w_scale, b, scale, (-1, 1, 1))


def quantized_linear(
    x: Array, w: Array, w_scale: Array, b: Array | None = None, *, scale: float, zero_point: int
) -> Array:
    """Return ``b + s · t · (q - z)·wᵀ`` for the codes q of ``x`` (N, ..., in), in float32.

    Parameters
    ----------
    x : array (N, ..., in)
    w : int8 array (out, in)
    w_scale : array (out,)
    b : array (out,), optional
    scale, zero_point
        s and z, see `quantize`.

    Examples
    --------
    >>> w, t = quantize_weights(np.array([[1.27, -0.5]]))
    >>> quantized_linear(np.array([[2.0, 1.0]]), w, t, scale=0.01, zero_point=0)
    array([[2.04]], dtype=float32)
    """
    return _rescaled(linear(_centred(x, scale, zero_point), w), w_scale, b, scale, (-1,))


def _centred(x: Array, scale: float, zero_point: int) -> Array:
    """Return the integers q - z, in float64: sums of their products are exact up to 2^53."""
    return quantize(x, scale, zero_point).astype(np.float64) - zero_point


def _rescaled(
    sums: Array, w_scale: Array, b: Array | None, scale: float, along: tuple[int, ...]
) -> Array:
    factor = np.float32(scale) * w_scale.astype(np.float32)
    y: Array = sums.astype(np.float32) * factor.reshape(along)
    return y if b is None else y + b.astype(np.float32).reshape(along)
