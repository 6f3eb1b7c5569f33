"""The smooth activation layers. Equations and sources: `pellucid.ops.smooth_activations`."""

from __future__ import annotations

from .. import ops
from ..errors import ArgumentError
from ..ops.smooth_activations import SELU_ALPHA, SELU_SCALE
from ..typing import Array
from .activations import Activation
from .checks import require_number
from .pattern_words import Argument, PatternWord

__all__ = ["CELU", "ELU", "GELU", "SELU", "Mish", "Softplus", "Softsign"]


class GELU(Activation):
    """Multiply by the normal distribution: ``y = x · Φ(x)``, ``Φ(x) = (1 + erf(x/√2)) / 2``.

    Any shape. ``dx = dy · (Φ(x) + x · φ(x))`` with the density ``φ(x) = e^(-x²/2) / √(2π)``.
    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2.

    Parameters
    ----------
    approximate : "none" or "tanh"
        "tanh" replaces Φ by ``(1 + tanh(√(2/π) · (x + 0.044715·x³))) / 2``, as BERT and GPT-2 do.

    Examples
    --------
    >>> import numpy as np
    >>> GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    pattern_word = PatternWord("GELU")

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ArgumentError(
                f"must be 'none' or 'tanh', received {approximate!r}.", where="approximate"
            )
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        """Return ``x · Φ(x)``."""
        self.remember(x)
        return ops.gelu(x, self.approximate)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.gelu_backward(dy, x, self.approximate)


class ELU(Activation):
    """Rectify softly: ``y = x`` above zero, ``α · (e^x - 1)`` below; any shape.

    ``dx = dy`` or ``dy · α · e^x``. Source: Clevert et al. 2015, "Fast and accurate deep network
    learning by exponential linear units", eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> ELU()(np.array([-1.0, 0.0, 2.0])).round(3)
    array([-0.632,  0.   ,  2.   ])
    """

    pattern_word = PatternWord(
        "ELU", (Argument("alpha", implied=1.0, least=0, whole=False),), example="ELU0.5"
    )

    def __init__(self, alpha: float = 1.0) -> None:
        require_number(alpha, "alpha")
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        """Return ``x`` above zero and ``α · (e^x - 1)`` below."""
        self.remember(x)
        return ops.elu(x, self.alpha)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.elu_backward(dy, x, self.alpha)


class CELU(Activation):
    """Rectify softly, with slope 1 at zero for any α: ``y = x`` or ``α · (e^(x/α) - 1)``.

    Any shape. Source: Barron 2017, "Continuously differentiable exponential linear units".
    """

    def __init__(self, alpha: float = 1.0) -> None:
        require_number(alpha, "alpha")
        if alpha <= 0:
            raise ArgumentError(f"must be above 0, received {alpha!r}.", where="alpha")
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        """Return ``x`` above zero and ``α · (e^(x/α) - 1)`` below."""
        self.remember(x)
        return ops.celu(x, self.alpha)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.celu_backward(dy, x, self.alpha)


class SELU(Activation):
    """Rectify softly, with the constants that keep mean 0 and variance 1; any shape.

    ``y = scale · x`` or ``scale · α · (e^x - 1)``. Source: Klambauer et al. 2017,
    "Self-normalizing neural networks", eq. 2 and 14.
    """

    pattern_word = PatternWord("SELU")

    def __init__(self, alpha: float = SELU_ALPHA, scale: float = SELU_SCALE) -> None:
        require_number(alpha, "alpha")
        require_number(scale, "scale")
        self.alpha = alpha
        self.scale = scale

    def forward(self, x: Array) -> Array:
        """Return ``scale`` times the ELU of ``x``."""
        self.remember(x)
        return ops.selu(x, self.alpha, self.scale)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.selu_backward(dy, x, self.alpha, self.scale)


class Softplus(Activation):
    """Rectify smoothly: ``y = log(1 + e^(β·x)) / β``, ``dx = dy / (1 + e^(-β·x))``; any shape."""

    def __init__(self, beta: float = 1.0) -> None:
        require_number(beta, "beta")
        if beta == 0:
            raise ArgumentError("may not be 0: it divides.", where="beta")
        self.beta = beta

    def forward(self, x: Array) -> Array:
        """Return ``log(1 + e^(β·x)) / β``."""
        self.remember(x)
        return ops.softplus(x, self.beta)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        (x,) = self.recall()
        return ops.softplus_backward(dy, x, self.beta)


class Softsign(Activation):
    """Squash to (-1, 1): ``y = x / (1 + |x|)``, ``dx = dy / (1 + |x|)²``; any shape."""

    def forward(self, x: Array) -> Array:
        """Return ``x / (1 + |x|)``."""
        self.remember(x)
        return ops.softsign(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        return ops.softsign_backward(dy, *self.recall())


class Mish(Activation):
    """Multiply by the tanh of the softplus: ``y = x · tanh(log(1 + e^x))``; any shape.

    Source: Misra 2019, "Mish: a self regularized non-monotonic activation function".
    """

    pattern_word = PatternWord("MISH")

    def forward(self, x: Array) -> Array:
        """Return ``x`` times the tanh of its softplus."""
        self.remember(x)
        return ops.mish(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        return ops.mish_backward(dy, *self.recall())
