"""Functions of each number, and softmax, as a file of NumPy has them."""

from __future__ import annotations

import numpy as np

from ....typing import Array

__all__: list[str] = []


def relu(x: Array) -> Array:
    """Return max(0, x)."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, *, slope: float) -> Array:
    """Return x above zero and slope · x below."""
    return np.where(x > 0, x, slope * x)


def prelu(x: Array, weight: Array) -> Array:
    """Return x above zero and slope · x below; one slope, or one for each channel."""
    return np.where(x > 0, x, weight.reshape(-1, *[1] * (x.ndim - 2)) * x)


def thresholded_relu(x: Array, *, theta: float) -> Array:
    """Return x above theta, and 0 elsewhere."""
    return np.where(x > theta, x, 0)


def clip(x: Array, *, low: float | None = None, high: float | None = None) -> Array:
    """Return x, at least `low` and at most `high`."""
    return np.clip(x, low, high)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x), from e^-|x|, which cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def hardsigmoid(x: Array, *, alpha: float, beta: float) -> Array:
    """Return alpha · x + beta, at least 0 and at most 1."""
    return np.clip(alpha * x + beta, 0, 1)


def silu(x: Array) -> Array:
    """Return x · sigmoid(x)."""
    return x * sigmoid(x)


def hardswish(x: Array) -> Array:
    """Return x · (x + 3) / 6, where the quotient is at least 0 and at most 1."""
    return x * np.clip((x + 3) / 6, 0, 1)


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


def scaled_tanh(x: Array, *, outside: float, inside: float) -> Array:
    """Return A · tanh(S · x), with A `outside` and S `inside`."""
    return outside * np.tanh(inside * x)


def erf(x: Array) -> Array:
    """Return the error function, 2/√π · ∫ e^-t² dt from 0 to x, to 1.5e-7.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
    """
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = 1.061405429 * t - 1.453152027
    for factor in (1.421413741, -0.284496736, 0.254829592):
        series = series * t + factor
    return np.sign(x) * (1 - series * t * np.exp(-x * x))


def gelu(x: Array) -> Array:
    """Return x · Φ(x), where Φ is the normal distribution, (1 + erf(x / √2)) / 2."""
    return 0.5 * x * (1 + erf(x * 0.5**0.5))


def gelu_tanh(x: Array) -> Array:
    """Return x · Φ(x), the normal distribution Φ approximated by a hyperbolic tangent."""
    return 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def elu(x: Array, *, alpha: float, scale: float = 1.0, width: float = 1.0) -> Array:
    """Return scale · x above zero and scale · alpha · (e^(x / width) - 1) below."""
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / width))


def softplus(x: Array, *, beta: float = 1.0) -> Array:
    """Return log(1 + e^(beta · x)) / beta."""
    return np.logaddexp(0, beta * x) / beta


def softsign(x: Array) -> Array:
    """Return x / (1 + |x|)."""
    return x / (1 + np.abs(x))


def mish(x: Array) -> Array:
    """Return x · tanh(log(1 + e^x))."""
    return x * np.tanh(np.logaddexp(0, x))


def absolute(x: Array) -> Array:
    """Return |x|."""
    return np.abs(x)


def exp(x: Array) -> Array:
    """Return e^x."""
    return np.exp(x)


def log(x: Array) -> Array:
    """Return the natural logarithm."""
    return np.log(x)


def sqrt(x: Array) -> Array:
    """Return the square root."""
    return np.sqrt(x)


def reciprocal(x: Array) -> Array:
    """Return 1 / x."""
    return 1 / x


def negative(x: Array) -> Array:
    """Return -x."""
    return -x


def power(x: Array, *, exponent: float) -> Array:
    """Return x to the power of `exponent`."""
    return x**exponent


def divided(x: Array, *, by: float) -> Array:
    """Return x / by."""
    return x / by


def times(x: Array, *, factor: float) -> Array:
    """Return x · factor."""
    return x * factor


def softmax(x: Array, *, axis: int = 1) -> Array:
    """Return e^x / Σ e^x along an axis; the largest x is subtracted first, which cancels out."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
