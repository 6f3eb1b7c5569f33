"""Smooth activations.

    gelu      y = x · Φ(x),  Φ(x) = (1 + erf(x / √2)) / 2     dx = dy · (Φ(x) + x · φ(x))
    gelu, approximated by tanh:
              y = x · (1 + tanh u) / 2,  u = √(2/π) · (x + 0.044715 · x³)
              dx = dy · ((1 + tanh u) / 2 + x · (1 - tanh² u) / 2 · u')
    elu       y = x or α · (e^x - 1)                     dx = dy or dy · α · e^x
    celu      y = x or α · (e^(x/α) - 1)                 dx = dy or dy · e^(x/α)
    selu      y = λ · elu(x, α) for two constants
    softplus  y = log(1 + e^(β·x)) / β                   dx = dy / (1 + e^(-β·x))
    softsign  y = x / (1 + |x|)                          dx = dy / (1 + |x|)²
    mish      y = x · tanh(softplus(x))                  dx = dy · (t + x · (1 - t²) · sigmoid(x))

with φ(x) = e^(-x²/2) / √(2π), and t = tanh(softplus(x)); the second case of elu and celu is that
of x ≤ 0.

(GELU: Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2; ELU: Clevert et al. 2015,
"Fast and accurate deep network learning by exponential linear units", eq. 1; SELU: Klambauer et al.
2017, "Self-normalizing neural networks", eq. 2; CELU: Barron 2017, "Continuously differentiable
exponential linear units"; softplus: Glorot et al. 2011, "Deep sparse rectifier neural networks",
section 2; Mish: Misra 2019, "Mish: a self regularized non-monotonic activation function".)
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .activations import sigmoid
from .checks import as_floats, gradient_like

__all__ = [
    "celu",
    "celu_backward",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "mish",
    "mish_backward",
    "selu",
    "selu_backward",
    "softplus",
    "softplus_backward",
    "softsign",
    "softsign_backward",
]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
CUBIC, ROOT = 0.044715, math.sqrt(2 / math.pi)  # of the approximation of GELU
_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has none


@np.errstate(under="ignore", invalid="ignore")  # inf · 0 stays a visible NaN
def gelu(x: Array, approximate: str = "none") -> Array:
    """Return ``x`` times the probability that a normal number is below ``x``.

    Parameters
    ----------
    x : array
    approximate : "none" or "tanh"
        The exact Φ, or Hendrycks & Gimpel's approximation of it.

    Raises
    ------
    ArgumentError
        If ``approximate`` is neither.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    x = as_floats(x, "gelu")
    return x * (_gate(x)[0] if _by_tanh(approximate) else _normal(x))


@np.errstate(under="ignore", invalid="ignore", over="ignore")
def gelu_backward(dy: Array, x: Array, approximate: str = "none") -> Array:
    """Return ``dy`` times the slope at ``x``."""
    dy = gradient_like(dy, x, "gelu_backward")
    if _by_tanh(approximate):
        gate, slope = _gate(x)
        return dy * (gate + x * slope)
    density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return dy * (_normal(x) + x * density)


def _by_tanh(approximate: str) -> bool:
    if approximate not in ("none", "tanh"):
        raise ArgumentError(
            f"must be 'none' or 'tanh', received {approximate!r}.", where="approximate"
        )
    return approximate == "tanh"


def _normal(x: Array) -> Array:
    """Return Φ(x) from the complement of erf, whose small values keep their digits."""
    return np.asarray(0.5 * _erfc(-x * math.sqrt(0.5)), dtype=x.dtype)


def _gate(x: Array) -> tuple[Array, Array]:
    """Return ``(1 + tanh u) / 2``, and its slope at ``x``."""
    with np.errstate(over="ignore"):
        u = ROOT * (x + CUBIC * x**3)
        gate = sigmoid(2 * u)
        slope = 2 * gate * sigmoid(-2 * u) * (ROOT * (1 + 3 * CUBIC * np.square(x)))
    return gate, np.where(gate * (1 - gate) == 0, 0, slope).astype(x.dtype)


@np.errstate(under="ignore")
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return ``x`` above zero and ``α · (e^x - 1)`` below.

    Examples
    --------
    >>> elu(np.array([-1000.0, 0.0, 2.0]), alpha=0.5)
    array([-0.5,  0. ,  2. ])
    """
    x = as_floats(x, "elu")
    return np.where(x > 0, x, _number(alpha, "alpha") * np.expm1(np.minimum(x, 0)))


@np.errstate(under="ignore")
def elu_backward(dy: Array, x: Array, alpha: float = 1.0) -> Array:
    """Return ``dy`` where ``x`` was above zero, and ``α · e^x · dy`` elsewhere."""
    dy = gradient_like(dy, x, "elu_backward")
    return np.where(x > 0, dy, _number(alpha, "alpha") * np.exp(np.minimum(x, 0)) * dy)


@np.errstate(under="ignore")
def celu(x: Array, alpha: float = 1.0) -> Array:
    """Return ``x`` above zero and ``α · (e^(x/α) - 1)`` below; α may not be 0."""
    x, alpha = as_floats(x, "celu"), _nonzero(alpha)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


@np.errstate(under="ignore")
def celu_backward(dy: Array, x: Array, alpha: float = 1.0) -> Array:
    """Return ``dy`` where ``x`` was above zero, and ``e^(x/α) · dy`` elsewhere."""
    dy = gradient_like(dy, x, "celu_backward")
    return np.where(x > 0, dy, np.exp(np.minimum(x, 0) / _nonzero(alpha)) * dy)


def _nonzero(alpha: float) -> float:
    if _number(alpha, "alpha") <= 0:
        raise ArgumentError(f"must be above 0, received {alpha!r}.", where="alpha")
    return float(alpha)


def _number(value: float, name: str) -> float:
    if not isinstance(value, Real):
        raise ArgumentError(f"must be a number, received {value!r}.", where=name)
    return float(value)


def selu(x: Array, alpha: float = SELU_ALPHA, scale: float = SELU_SCALE) -> Array:
    """Return ``scale · elu(x, alpha)``, whose constants keep mean 0 and variance 1."""
    return scale * elu(x, alpha)


def selu_backward(
    dy: Array, x: Array, alpha: float = SELU_ALPHA, scale: float = SELU_SCALE
) -> Array:
    """Return ``dy`` times the slope at ``x``."""
    return scale * elu_backward(dy, x, alpha)


@np.errstate(under="ignore")
def softplus(x: Array, beta: float = 1.0) -> Array:
    """Return ``log(1 + e^(β·x)) / β``, which no exponential of a large number is needed for.

    Examples
    --------
    >>> softplus(np.array([-1000.0, 0.0, 2.0])).round(4)
    array([0.    , 0.6931, 2.1269])
    """
    x = as_floats(x, "softplus")
    z = _number(beta, "beta") * x
    return (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / float(beta)


def softplus_backward(dy: Array, x: Array, beta: float = 1.0) -> Array:
    """Return ``dy`` times the sigmoid of ``β·x``."""
    dy = gradient_like(dy, x, "softplus_backward")
    return dy * sigmoid(_number(beta, "beta") * x)


def softsign(x: Array) -> Array:
    """Return ``x / (1 + |x|)``."""
    x = as_floats(x, "softsign")
    return x / (1 + np.abs(x))


@np.errstate(under="ignore")
def softsign_backward(dy: Array, x: Array) -> Array:
    """Return ``dy / (1 + |x|)²``."""
    dy = gradient_like(dy, x, "softsign_backward")
    return dy / np.square(1 + np.abs(x))


@np.errstate(under="ignore", invalid="ignore")
def mish(x: Array) -> Array:
    """Return ``x`` times the tanh of its softplus."""
    x = as_floats(x, "mish")
    return x * np.tanh(softplus(x))


@np.errstate(under="ignore", invalid="ignore")
def mish_backward(dy: Array, x: Array) -> Array:
    """Return ``dy`` times the slope at ``x``."""
    dy = gradient_like(dy, x, "mish_backward")
    t = np.tanh(softplus(x))
    return dy * (t + x * (1 - t) * (1 + t) * sigmoid(x))
