"""Activations: element-wise non-linear functions, and softmax.

    relu        y = max(0, x)               dx = dy where x > 0
    leaky_relu  y = x or slope·x            dx = dy or slope·dy
    sigmoid     y = 1 / (1 + e^-x)          dx = dy · y · (1 - y)
    tanh        y = (e^x - e^-x) / (e^x + e^-x)   dx = dy · (1 - y²)
    silu        y = x · s,  s = 1 / (1 + e^-x)    dx = dy · s · (1 + x · (1 - s))
    softmax     y_k = e^x_k / Σ_j e^x_j     dx = y · (dy - Σ_j dy_j · y_j)

("Deep Learning from Scratch", sections 3.2, 3.5 and 5.5; leaky ReLU: Maas et al. 2013, "Rectifier
nonlinearities improve neural network acoustic models", section 2; SiLU: Elfwing et al. 2017,
"Sigmoid-weighted linear units", section 2.)
"""

from __future__ import annotations

from numbers import Real

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .checks import as_floats, gradient_like, require_axis, require_real
from .sums import total

__all__ = [
    "leaky_relu",
    "leaky_relu_backward",
    "log_softmax",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
]


def relu(x: Array) -> Array:
    """Return ``max(0, x)``; NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    require_real(x, "relu")
    return np.maximum(x, 0)


def relu_backward(dy: Array, x: Array) -> Array:
    """Return ``dy`` where ``x`` was above zero, else 0; at zero, where the slope jumps, also 0."""
    dy = gradient_like(dy, x, "relu_backward")
    return dy * (x > 0)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """Return ``x`` above zero and ``slope · x`` below."""
    require_real(x, "leaky_relu")
    return np.where(x > 0, x, x * _slope(slope))


def leaky_relu_backward(dy: Array, x: Array, slope: float = 0.01) -> Array:
    """Return ``dy`` where ``x`` was above zero, and ``slope · dy`` elsewhere."""
    dy = gradient_like(dy, x, "leaky_relu_backward")
    return np.where(x > 0, dy, dy * _slope(slope))


def _slope(slope: float) -> float:
    if not isinstance(slope, Real):
        raise ArgumentError(f"must be a number, received {slope!r}.", where="slope")
    return float(slope)


@np.errstate(under="ignore")
def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + e^-x)``, from ``e^-|x|`` so that no exponential overflows.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    x = as_floats(x, "sigmoid")
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Return ``dy · y · (1 - y)`` from the output ``y``."""
    dy = gradient_like(dy, y, "sigmoid_backward")
    return dy * y * (1 - y)


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent."""
    return np.tanh(as_floats(x, "tanh"))


def tanh_backward(dy: Array, y: Array) -> Array:
    """Return ``dy · (1 - y²)`` from the output ``y``."""
    dy = gradient_like(dy, y, "tanh_backward")
    return dy * (1 - y * y)


@np.errstate(under="ignore", invalid="ignore")  # inf · 0 stays a visible NaN
def silu(x: Array) -> Array:
    """Return ``x / (1 + e^-x)``, the input weighted by its sigmoid.

    Examples
    --------
    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    x = as_floats(x, "silu")
    return x * sigmoid(x)


@np.errstate(under="ignore", invalid="ignore")
def silu_backward(dy: Array, x: Array) -> Array:
    """Return ``dy · s · (1 + x · (1 - s))`` with ``s = 1 / (1 + e^-x)``, from the input ``x``."""
    dy = gradient_like(dy, x, "silu_backward")
    s = sigmoid(x)
    return dy * s * (1 + x * (1 - s))


@np.errstate(under="ignore")
def softmax(x: Array, axis: int = 1) -> Array:
    """Convert scores to probabilities along ``axis`` (default: the classes of (N, K)).

    The largest score is subtracted first, which cancels in the quotient and keeps every
    exponential at 1 or below. If the largest is infinite, the result is NaN.

    Raises
    ------
    ArgumentError, ShapeError
        If ``x`` has no such axis, or the axis has length 0.

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0, -1000.0]]))
    array([[0.5, 0.5, 0. ]])
    """
    e = np.exp(_minus_max(x, axis, "softmax"))
    return e / total(e, axis, keepdims=True)


def softmax_backward(dy: Array, y: Array, axis: int = 1) -> Array:
    """Return ``y · (dy - Σ dy·y)`` from the output ``y``."""
    dy = gradient_like(dy, y, "softmax_backward")
    require_axis(y, axis, "softmax_backward")
    return y * (dy - total(dy * y, axis, keepdims=True))


@np.errstate(under="ignore")
def log_softmax(x: Array, axis: int = 1) -> Array:
    """Return ``log(softmax(x))``, without taking the logarithm of an underflowed 0."""
    z = _minus_max(x, axis, "log_softmax")
    return z - np.log(total(np.exp(z), axis, keepdims=True))


def _minus_max(x: Array, axis: int, where: str) -> Array:
    """Return ``x`` minus its maximum along ``axis``."""
    x = as_floats(x, where)
    require_axis(x, axis, where)
    with np.errstate(invalid="ignore"):  # inf - inf stays a visible NaN
        return x - x.max(axis=axis, keepdims=True)
