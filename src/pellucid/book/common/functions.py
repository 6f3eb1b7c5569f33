"""The book's `common.functions`: activations and losses, on arrays of any float type.

They are plain NumPy, which is fast enough here, and keep float64 inputs in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...typing import Array

__all__ = [
    "cross_entropy_error",
    "identity_function",
    "mean_squared_error",
    "np",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]

SMALL = 1e-7  # added to probabilities: the logarithm of 0 would be infinite


def identity_function(x: Any) -> Any:
    """Return ``x`` itself.

    Examples
    --------
    >>> identity_function(3.5)
    3.5
    """
    return x


def step_function(x: Any) -> Array:
    """Return 1 where ``x`` is above zero, else 0.

    Examples
    --------
    >>> step_function(np.array([-1.0, 0.0, 2.0]))
    array([0, 0, 1])
    """
    return np.array(np.asarray(x) > 0, dtype=int)


def sigmoid(x: Any) -> Any:
    """Return ``1 / (1 + e^-x)``, without overflow.

    Examples
    --------
    >>> float(sigmoid(0)), sigmoid(np.array([-1000.0, 0.0]))
    (0.5, array([0. , 0.5]))
    """
    return ops.sigmoid(np.asarray(x))[()]


def sigmoid_grad(x: Any) -> Any:
    """Return the slope of the sigmoid at ``x``.

    Examples
    --------
    >>> float(sigmoid_grad(0.0))
    0.25
    """
    y = sigmoid(x)
    return (1.0 - y) * y


def relu(x: Any) -> Any:
    """Return ``max(0, x)``.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.maximum(0, x)


def relu_grad(x: Any) -> Array:
    """Return 1 where ``x`` is zero or above, else 0.

    Examples
    --------
    >>> relu_grad(np.array([-1.0, 0.0, 2.0]))
    array([0., 1., 1.])
    """
    x = np.asarray(x)
    return np.where(x >= 0, 1, 0).astype(x.dtype if x.dtype.kind == "f" else np.float64)


def softmax(x: Array) -> Array:
    """Return e^x, divided by its sum over the last axis.

    Examples
    --------
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return ops.softmax(np.asarray(x), axis=-1)


def sum_squared_error(y: Array, t: Array) -> Any:
    """Return half the sum of the squared differences; the Korean edition's `mean_squared_error`.

    Examples
    --------
    >>> float(sum_squared_error(np.array([0.5, 0.5]), np.array([1, 0])))
    0.25
    """
    return 0.5 * np.sum((y - t) ** 2)


mean_squared_error = sum_squared_error


def cross_entropy_error(y: Array, t: Array) -> Any:
    """Return the mean of ``-log(y + 1e-7)`` at the right class.

    Parameters
    ----------
    y : array (K,) or (N, K)
        Probabilities.
    t : array
        One-hot in the shape of ``y``, or a class for each row.

    Raises
    ------
    ShapeError
        If the number of labels is not that of the rows.

    Examples
    --------
    >>> y = np.array([[0.1, 0.9], [0.5, 0.5]])
    >>> round(float(cross_entropy_error(y, np.array([1, 0]))), 4)
    0.3993
    >>> round(float(cross_entropy_error(y, np.eye(2)[[1, 0]])), 4)
    0.3993
    """
    t = np.asarray(t)
    if y.ndim == 1:
        y, t = y.reshape(1, y.size), t.reshape(1, t.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    n = y.shape[0]
    if len(t) != n:
        raise ShapeError(
            f"expects a label for each of the {n} rows of y {y.shape}, received t {t.shape}. "
            "Pass labels (N,), or one-hot rows shaped like y.",
            where="cross_entropy_error",
        )
    return -np.sum(np.log(y[np.arange(n), t] + SMALL)) / n


def softmax_loss(X: Array, t: Array) -> Any:
    """Return the cross-entropy of the softmax of scores ``X``.

    Examples
    --------
    >>> round(float(softmax_loss(np.zeros((2, 4)), np.array([0, 3]))), 4)
    1.3863
    """
    return cross_entropy_error(softmax(X), t)
