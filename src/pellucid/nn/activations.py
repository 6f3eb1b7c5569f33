"""The activation layers. Equations and sources: `pellucid.ops.activations`."""

from __future__ import annotations

from .. import ops
from ..typing import Array
from .checks import require_number
from .layer import Layer
from .pattern_words import PatternWord

__all__ = ["LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softmax", "Tanh"]


class Activation(Layer):
    """Base class of the element-wise activations."""

    per_number = True
    is_activation = True


class ReLU(Activation):
    """Rectify: ``y = max(0, x)``, ``dx = dy`` where ``x > 0``; any shape.

    Examples
    --------
    >>> import numpy as np
    >>> relu = ReLU()
    >>> relu(np.array([-1.0, 2.0])), relu.backward(np.array([5.0, 5.0]))
    (array([0., 2.]), array([0., 5.]))
    """

    pattern_word = PatternWord("RELU")
    rectifies = True

    def forward(self, x: Array) -> Array:
        """Return ``max(0, x)``."""
        self.remember(x)
        return ops.relu(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` where the input was above zero, else 0."""
        return ops.relu_backward(dy, *self.recall())


class LeakyReLU(Activation):
    """Rectify with a slope below zero: ``y = x`` or ``negative_slope · x``; any shape."""

    short_name = "leaky ReLU"

    def __init__(self, negative_slope: float = 0.01) -> None:
        require_number(negative_slope, "negative_slope")
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """Return ``x`` above zero and ``negative_slope · x`` below."""
        self.remember(x)
        return ops.leaky_relu(x, self.negative_slope)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.leaky_relu_backward(dy, x, self.negative_slope)


class Sigmoid(Activation):
    """Squash to (0, 1): ``y = 1 / (1 + e^-x)``, ``dx = dy · y · (1 - y)``; any shape."""

    pattern_word = PatternWord("SIGMOID")

    def forward(self, x: Array) -> Array:
        """Return ``1 / (1 + e^-x)``."""
        y = ops.sigmoid(x)
        self.remember(y)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy · y · (1 - y)``."""
        return ops.sigmoid_backward(dy, *self.recall())


class Tanh(Activation):
    """Squash to (-1, 1): ``dx = dy · (1 - y²)``; any shape."""

    pattern_word = PatternWord("TANH")

    def forward(self, x: Array) -> Array:
        """Return the hyperbolic tangent of ``x``."""
        y = ops.tanh(x)
        self.remember(y)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy · (1 - y²)``."""
        return ops.tanh_backward(dy, *self.recall())


class SiLU(Activation):
    """Multiply by the sigmoid (or Swish): ``y = x · s``, ``s = 1 / (1 + e^-x)``; any shape.

    Smooth, with a minimum of -0.28 below zero. ``dx = dy · s · (1 + x · (1 - s))``.
    Source: Elfwing et al. 2017, "Sigmoid-weighted linear units", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.array([-2.0, 0.0, 2.0])).round(3)
    array([-0.238,  0.   ,  1.762])
    """

    pattern_word = PatternWord("SILU", also=("SWISH",))

    def forward(self, x: Array) -> Array:
        """Return ``x / (1 + e^-x)``."""
        self.remember(x)
        return ops.silu(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        return ops.silu_backward(dy, *self.recall())


class Softmax(Layer):
    """Convert scores to probabilities: ``y_k = e^x_k / Σ_j e^x_j`` along axis ``dim``.

    Networks here end in scores, and the loss contains the softmax; this layer is for networks that
    need probabilities inside.
    """

    gives_probabilities = True

    def __init__(self, dim: int = 1) -> None:
        self.dim = dim
        self.per_pixel = dim == 1
        self.one_size = dim not in (1, -3)

    def forward(self, x: Array) -> Array:
        """Return probabilities, of the shape of ``x``."""
        y = ops.softmax(x, self.dim)
        self.remember(y)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``y · (dy - Σ dy·y)``."""
        (y,) = self.recall()
        return ops.softmax_backward(dy, y, self.dim)
