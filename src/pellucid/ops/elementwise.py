"""Functions of each number alone, as graphs of operators have them.

    absolute    y = |x|        dx = dy · sign(x)
    exp         y = e^x        dx = dy · y
    log         y = ln x       dx = dy / x
    sqrt        y = √x         dx = dy / (2·y)
    reciprocal  y = 1/x        dx = -dy · y²
    negative    y = -x         dx = -dy
    erf         y = 2/√π · ∫ e^-t² dt from 0 to x     dx = dy · 2/√π · e^-x²
    power       y = x^p        dx = dy · p · x^(p-1)

Outside of its domain a function gives NaN, at a pole infinity, as in NumPy and without a warning.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .checks import as_floats, gradient_like

__all__ = [
    "absolute",
    "absolute_backward",
    "erf",
    "erf_backward",
    "exp",
    "exp_backward",
    "log",
    "log_backward",
    "negative",
    "negative_backward",
    "power",
    "power_backward",
    "reciprocal",
    "reciprocal_backward",
    "sqrt",
    "sqrt_backward",
]

_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none


def absolute(x: Array) -> Array:
    """Return ``|x|``."""
    return np.abs(as_floats(x, "absolute"))


def absolute_backward(dy: Array, x: Array) -> Array:
    """Return ``dy`` with the sign of ``x``; at zero 0."""
    return gradient_like(dy, x, "absolute_backward") * np.sign(x)


@np.errstate(all="ignore")
def exp(x: Array) -> Array:
    """Return ``e^x``."""
    return np.exp(as_floats(x, "exp"))


@np.errstate(all="ignore")
def exp_backward(dy: Array, y: Array) -> Array:
    """Return ``dy · y`` from the output ``y``."""
    return gradient_like(dy, y, "exp_backward") * y


@np.errstate(all="ignore")
def log(x: Array) -> Array:
    """Return the natural logarithm."""
    return np.log(as_floats(x, "log"))


@np.errstate(all="ignore")
def log_backward(dy: Array, x: Array) -> Array:
    """Return ``dy / x``."""
    return gradient_like(dy, x, "log_backward") / x


@np.errstate(all="ignore")
def sqrt(x: Array) -> Array:
    """Return the square root."""
    return np.sqrt(as_floats(x, "sqrt"))


@np.errstate(all="ignore")
def sqrt_backward(dy: Array, y: Array) -> Array:
    """Return ``dy / (2·y)`` from the output ``y``."""
    return gradient_like(dy, y, "sqrt_backward") / (2 * y)


@np.errstate(all="ignore")
def reciprocal(x: Array) -> Array:
    """Return ``1/x``."""
    return 1 / as_floats(x, "reciprocal")


@np.errstate(all="ignore")
def reciprocal_backward(dy: Array, y: Array) -> Array:
    """Return ``-dy · y²`` from the output ``y``."""
    return -gradient_like(dy, y, "reciprocal_backward") * y * y


def negative(x: Array) -> Array:
    """Return ``-x``."""
    return -as_floats(x, "negative")


def negative_backward(dy: Array, x: Array) -> Array:
    """Return ``-dy``."""
    return -gradient_like(dy, x, "negative_backward")


def erf(x: Array) -> Array:
    """Return the error function.

    Examples
    --------
    >>> erf(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    x = as_floats(x, "erf")
    return np.asarray(_erf(x), dtype=x.dtype)


@np.errstate(under="ignore", over="ignore")
def erf_backward(dy: Array, x: Array) -> Array:
    """Return ``dy · 2/√π · e^-x²``."""
    dy = gradient_like(dy, x, "erf_backward")
    return dy * (np.exp(-np.square(x)) * (2 / math.sqrt(math.pi)))


@np.errstate(all="ignore")
def power(x: Array, exponent: float) -> Array:
    """Return ``x^p``; for a negative ``x``, NaN unless the exponent is whole."""
    return as_floats(x, "power") ** _exponent(exponent)


@np.errstate(all="ignore")
def power_backward(dy: Array, x: Array, exponent: float) -> Array:
    """Return ``dy · p · x^(p-1)``."""
    dy, p = gradient_like(dy, x, "power_backward"), _exponent(exponent)
    return dy * (p * x ** (p - 1)) if p else np.zeros_like(dy)


def _exponent(exponent: float) -> float:
    if not isinstance(exponent, Real):
        raise ArgumentError(f"must be a number, received {exponent!r}.", where="exponent")
    return float(exponent)
