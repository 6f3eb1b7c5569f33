"""The book's `common.gradient`: derivatives by central differences, for arrays of any shape.

The difference of two losses is divided by 2·10⁻⁴: in float32 it would have no correct digit. So the
layers compute in float64 while a numerical gradient is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...typing import Array
from ..settings import settings

__all__ = ["np", "numerical_gradient", "numerical_gradient_2d"]

STEP = 1e-4

Function = Callable[[Array], Any]


def numerical_gradient(f: Function, x: Array) -> Array:
    """Return ``(f(x + h) - f(x - h)) / 2h`` for every number of ``x``, h = 1e-4.

    ``x`` is changed in place, one number at a time, and restored, also if ``f`` raises or the user
    presses Ctrl-C.

    Examples
    --------
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    gradient = np.zeros_like(x)
    with settings.exactly():
        for index in np.ndindex(x.shape):
            before = x[index]
            try:
                x[index] = float(before) + STEP
                above = f(x)
                x[index] = float(before) - STEP
                below = f(x)
            finally:
                x[index] = before
            gradient[index] = (above - below) / (2 * STEP)
    return gradient


def numerical_gradient_2d(f: Function, X: Array) -> Array:
    """Return the gradient of ``f`` at each row of ``X``: ``f`` is called with a row.

    Examples
    --------
    >>> numerical_gradient_2d(lambda x: np.sum(x**2), np.array([[3.0, 4.0], [0.0, 1.0]])).round(6)
    array([[6., 8.],
           [0., 2.]])
    """
    if X.ndim == 1:
        return numerical_gradient(f, X)
    gradient = np.zeros_like(X)
    for k, x in enumerate(X):
        gradient[k] = numerical_gradient(f, x)
    return gradient
