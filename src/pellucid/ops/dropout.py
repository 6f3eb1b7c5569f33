"""Dropout: zero each number with probability p in training.

    inverted   train: y = x · m / (1 - p)     test: y = x
    book's     train: y = x · m               test: y = x · (1 - p)

with m = 1 with probability 1 - p, else 0; the gradient goes through the same mask. Both give the
same expectation. Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
overfitting", sections 4 and 10; "Deep Learning from Scratch", section 6.4.3.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from ..errors import ArgumentError
from ..typing import Array
from .checks import gradient_like, require_real

__all__ = ["dropout", "dropout_backward", "dropout_book", "require_probability"]


def dropout(x: Array, p: float, *, rng: Any) -> tuple[Array, Array]:
    """Zero each number of ``x`` with probability ``p`` and scale the rest by ``1 / (1 - p)``.

    Returns
    -------
    y : array like ``x``
    mask : array like ``x``
        0 or ``1 / (1 - p)``, for `dropout_backward`.

    Raises
    ------
    ArgumentError
        If ``p`` is not in [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> y, mask = dropout(np.ones(6), 0.5, rng=np.random.default_rng(1))
    >>> y
    array([2., 2., 0., 2., 0., 0.])
    """
    y, mask = dropout_book(x, p, rng=rng)
    scale = float(1 / (1 - p))
    return y * scale, mask * scale


def dropout_book(x: Array, p: float, *, rng: Any) -> tuple[Array, Array]:
    """Zero each number of ``x`` with probability ``p`` and leave the rest unscaled.

    The book's variant: at test time the caller multiplies by ``1 - p``.
    """
    require_probability(p)
    require_real(x, "dropout")
    if not hasattr(rng, "random"):
        raise ArgumentError(
            f"must be a generator as `np.random.default_rng(seed)`, received {rng!r}.", where="rng"
        )
    mask = (rng.random(x.shape) >= p).astype(x.dtype)
    return x * mask, mask


def dropout_backward(dy: Array, mask: Array) -> Array:
    """Multiply ``dy`` by the mask of the forward pass."""
    dy = gradient_like(dy, mask, "dropout_backward")
    return dy * mask


def require_probability(p: float) -> None:
    """Refuse a ``p`` outside [0, 1): at 1 nothing would be left."""
    if not isinstance(p, Real) or not 0 <= p < 1:
        raise ArgumentError(
            f"must be a probability of at least 0 and below 1, received {p!r}.", where="p"
        )
