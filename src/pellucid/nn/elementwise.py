"""Layers of one function of each number, as imported graphs need them: `ops.elementwise`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from .. import ops
from ..typing import Array
from .checks import require_number
from .layer import Layer

__all__ = ["Abs", "Erf", "Exp", "Log", "Negative", "Power", "Reciprocal", "Sqrt"]

Function = Callable[[Array], Array]
Gradient = Callable[[Array, Array], Array]


class _Function(Layer):
    """Base class: a function whose gradient is computed from its input."""

    per_number = True
    functions: ClassVar[tuple[Function, Gradient]]

    def forward(self, x: Array) -> Array:
        """Return the function of each number."""
        self.remember(x)
        return self.functions[0](x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        return self.functions[1](dy, *self.recall())


class _OfItsOutput(_Function):
    """Base class: a function whose gradient is computed from its output."""

    def forward(self, x: Array) -> Array:
        """Return the function of each number."""
        y = self.functions[0](x)
        self.remember(y)
        return y


class Abs(_Function):
    """The absolute value: ``y = |x|``, ``dx = dy · sign(x)``; any shape."""

    functions = (ops.absolute, ops.absolute_backward)


class Exp(_OfItsOutput):
    """The exponential: ``y = e^x``, ``dx = dy · y``; any shape."""

    functions = (ops.exp, ops.exp_backward)


class Log(_Function):
    """The natural logarithm: ``y = ln x``, ``dx = dy / x``; any shape, NaN below zero."""

    functions = (ops.log, ops.log_backward)


class Sqrt(_OfItsOutput):
    """The square root: ``y = √x``, ``dx = dy / (2·y)``; any shape, NaN below zero."""

    functions = (ops.sqrt, ops.sqrt_backward)


class Reciprocal(_OfItsOutput):
    """The reciprocal: ``y = 1/x``, ``dx = -dy · y²``; any shape, infinite at zero."""

    functions = (ops.reciprocal, ops.reciprocal_backward)


class Negative(_Function):
    """The negative: ``y = -x``, ``dx = -dy``; any shape."""

    functions = (ops.negative, ops.negative_backward)


class Erf(_Function):
    """The error function: ``y = 2/√π · ∫ e^-t² dt`` from 0 to x; any shape.

    ``dx = dy · 2/√π · e^-x²``. It is the integral in `GELU`, which graphs from elsewhere write out.

    Examples
    --------
    >>> import numpy as np
    >>> Erf()(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """

    functions = (ops.erf, ops.erf_backward)


class Power(Layer):
    """A power: ``y = x^p``, ``dx = dy · p · x^(p-1)``; any shape.

    For negative numbers the result is NaN, unless the exponent is whole.

    Parameters
    ----------
    exponent : float
        p.

    Examples
    --------
    >>> import numpy as np
    >>> Power(2)(np.array([-3.0, 0.5]))
    array([9.  , 0.25])
    """

    per_number = True

    def __init__(self, exponent: float) -> None:
        require_number(exponent, "exponent")
        self.exponent = exponent

    def forward(self, x: Array) -> Array:
        """Return ``x^p``."""
        self.remember(x)
        return ops.power(x, self.exponent)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.power_backward(dy, x, self.exponent)
