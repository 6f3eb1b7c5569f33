"""Activations made of straight pieces, and products with one.

    clip           y = min(max(x, low), high)      dx = dy where low < x < high
    hardsigmoid    y = clip(α·x + β, 0, 1)         dx = α · dy where 0 < α·x + β < 1
    hardswish      y = x · clip(x/6 + 1/2, 0, 1)   dx = dy · (clip(x/6 + 1/2, 0, 1) + x/6 where |x| < 3)
    prelu          y = x or a[c] · x               dx = dy or a[c] · dy;  da[c] = Σ dy · x where x ≤ 0
    thresholded_relu  y = x where x > θ, else 0    dx = dy where x > θ

(ReLU6 is a clip to [0, 6]: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10",
section 4.1; hard sigmoid and hard swish: Howard et al. 2019, "Searching for MobileNetV3", section
5.2; PReLU: He et al. 2015, "Delving deep into rectifiers", section 2.1; thresholded ReLU: Konda et
al. 2014, "Zero-bias autoencoders and the benefits of co-adapting features", section 3.)
"""  # noqa: E501

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..typing import Array
from .checks import as_floats, gradient_like, require_no_wider, require_real

__all__ = [
    "clip",
    "clip_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "prelu",
    "prelu_backward",
    "thresholded_relu",
    "thresholded_relu_backward",
]


def clip(x: Array, low: float | None = None, high: float | None = None) -> Array:
    """Return ``min(max(x, low), high)``; None means no bound, NaN stays NaN.

    If ``low`` is above ``high``, every number becomes ``high``, as in PyTorch and ONNX.

    Examples
    --------
    >>> clip(np.array([-1.0, 2.0, 9.0]), 0, 6)
    array([0., 2., 6.])
    """
    x = as_floats(x, "clip")
    least, most = _bounds(x, low, high)
    return np.minimum(np.maximum(x, least), most)


def clip_backward(
    dy: Array, x: Array, low: float | None = None, high: float | None = None
) -> Array:
    """Return ``dy`` where ``x`` was between the bounds, else 0; at a bound also 0."""
    dy = gradient_like(dy, x, "clip_backward")
    least, most = _bounds(dy, low, high)
    return dy * ((x > least) & (x < most))


def _bounds(x: Array, low: float | None, high: float | None) -> tuple[Array, Array]:
    """Return both bounds in the dtype of ``x``."""
    for name, value in (("low", low), ("high", high)):
        if value is not None and (not isinstance(value, Real) or math.isnan(value)):
            raise ArgumentError(f"must be a number or None, received {value!r}.", where=name)
    with np.errstate(over="ignore"):  # a bound beyond the dtype's largest number is infinite
        return (
            np.asarray(-np.inf if low is None else low).astype(x.dtype),
            np.asarray(np.inf if high is None else high).astype(x.dtype),
        )


def hardsigmoid(x: Array, alpha: float = 1 / 6, beta: float = 0.5) -> Array:
    """Return ``α·x + β``, clipped to [0, 1]."""
    x = as_floats(x, "hardsigmoid")
    return np.clip(alpha * x + beta, 0, 1)


def hardsigmoid_backward(dy: Array, x: Array, alpha: float = 1 / 6, beta: float = 0.5) -> Array:
    """Return ``α · dy`` where ``0 < α·x + β < 1``, else 0."""
    dy = gradient_like(dy, x, "hardsigmoid_backward")
    z = alpha * x + beta
    return alpha * dy * ((z > 0) & (z < 1))


@np.errstate(invalid="ignore")  # inf · 0 stays a visible NaN
def hardswish(x: Array) -> Array:
    """Return ``x`` times its hard sigmoid: 0 up to -3, ``x`` from 3 on.

    Examples
    --------
    >>> hardswish(np.array([-4.0, 0.0, 1.5, 4.0]))
    array([-0.   ,  0.   ,  1.125,  4.   ])
    """
    x = as_floats(x, "hardswish")
    return x * hardsigmoid(x)


def hardswish_backward(dy: Array, x: Array) -> Array:
    """Return ``dy`` times the slope at ``x``: 0 up to -3, ``x/3 + 1/2``, and 1 from 3 on."""
    dy = gradient_like(dy, x, "hardswish_backward")
    return dy * np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1).astype(x.dtype))


def prelu(x: Array, slopes: Array) -> Array:
    """Return ``x`` above zero, and ``a[c] · x`` below.

    Parameters
    ----------
    x : array (N, C, ...)
        With a single slope, any shape.
    slopes : array (C,) or (1,)
        a: one for each channel, or one for all.

    Raises
    ------
    ShapeError
        If there are several slopes, and not one for each channel.

    Examples
    --------
    >>> prelu(np.array([[-2.0, -2.0], [1.0, 3.0]]), np.array([0.5, 0.1]))
    array([[-1. , -0.2],
           [ 1. ,  3. ]])
    """
    x = as_floats(x, "prelu")
    require_no_wider(x, "prelu", slopes=slopes)
    return np.where(x > 0, x, _per_channel(slopes, x) * x)


def prelu_backward(dy: Array, x: Array, slopes: Array) -> tuple[Array, Array]:
    """Return ``dx`` like ``dy``, and ``dslopes`` like ``slopes``."""
    dy = gradient_like(dy, x, "prelu_backward")
    a = _per_channel(slopes, x)
    dx = np.where(x > 0, dy, a * dy)
    axes = tuple(k for k in range(x.ndim) if k != 1 or slopes.size == 1)
    along = np.where(x > 0, 0, dy * x).sum(axis=axes, dtype=np.promote_types(x.dtype, np.float64))
    return dx, along.reshape(slopes.shape).astype(dy.dtype)


def require_slopes(shape: tuple[int, ...], slopes: int) -> None:
    """Refuse a ``shape`` (C, ...) without N whose channels do not have a slope each."""
    if slopes > 1 and (not shape or shape[0] != slopes):
        channels = shape[0] if shape else 0
        raise ShapeError(
            f"has {slopes} slopes for {channels} channels, of shape {tuple(shape)}. Build it as "
            f"`PReLU({channels})`, or as `PReLU()` with one slope for all.",
            where="prelu",
        )


def _per_channel(slopes: Array, x: Array) -> Array:
    """Return ``slopes`` to broadcast over the channels of ``x``."""
    require_real(slopes, "prelu", "slopes")
    if slopes.ndim != 1 or not slopes.size:
        raise ShapeError(
            f"expects slopes (C,) or (1,), received shape {slopes.shape}.", where="prelu"
        )
    require_slopes(x.shape[1:], slopes.size)
    if slopes.size == 1:
        return slopes.reshape((1,) * x.ndim).astype(x.dtype, copy=False)
    return slopes.reshape(1, -1, *(1,) * (x.ndim - 2)).astype(x.dtype, copy=False)


def thresholded_relu(x: Array, theta: float = 1.0) -> Array:
    """Return ``x`` above ``theta``, else 0; NaN stays NaN."""
    x = as_floats(x, "thresholded_relu")
    return np.where(x <= theta, np.zeros((), x.dtype), x)


def thresholded_relu_backward(dy: Array, x: Array, theta: float = 1.0) -> Array:
    """Return ``dy`` where ``x`` was above ``theta``, else 0."""
    dy = gradient_like(dy, x, "thresholded_relu_backward")
    return dy * (x > theta)
