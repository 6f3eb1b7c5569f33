"""Dropout: zero each number, or each image, with probability p in training.

    inverted   train: y = x · m / (1 - p)     test: y = x
    book's     train: y = x · m               test: y = x · (1 - p)

with m = 1 with probability 1 - p, else 0; the gradient goes through the same mask. Both give the
same expectation. Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
overfitting", sections 4 and 10; "Deep Learning from Scratch", section 6.4.3.

Stochastic depth is the first of them with one m for all numbers of an image: Huang et al. 2016,
"Deep networks with stochastic depth", section 3.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .checks import gradient_like, require_no_wider, require_real, require_shape

__all__ = [
    "dropout",
    "dropout_backward",
    "dropout_book",
    "require_probability",
    "stochastic_depth",
    "stochastic_depth_backward",
    "survivors",
]


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
    _require_generator(rng)
    mask = (rng.random(x.shape) >= p).astype(x.dtype)
    return x * mask, mask


def dropout_backward(dy: Array, mask: Array) -> Array:
    """Multiply ``dy`` by the mask of the forward pass."""
    dy = gradient_like(dy, mask, "dropout_backward")
    return dy * mask


def stochastic_depth(x: Array, p: float, *, rng: Any) -> tuple[Array, Array]:
    """Zero each image of ``x`` (N, ...) with probability ``p``, scale the rest by ``1 / (1 - p)``.

    Returns
    -------
    y : array like ``x``
    mask : array (N,)
        0 or ``1 / (1 - p)``, for `stochastic_depth_backward`.

    Raises
    ------
    ArgumentError
        If ``p`` is not in [0, 1).

    Examples
    --------
    >>> y, mask = stochastic_depth(np.ones((4, 2)), 0.5, rng=np.random.default_rng(0))
    >>> y.tolist()
    [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    require_real(x, "stochastic_depth")
    mask = survivors(len(x), p, rng=rng).astype(x.dtype if x.dtype.kind == "f" else np.float64)
    return x * mask.reshape(-1, *(1,) * (x.ndim - 1)), mask


def stochastic_depth_backward(dy: Array, mask: Array) -> Array:
    """Multiply the images of ``dy`` (N, ...) by the mask (N,) of the forward pass."""
    require_no_wider(mask, "stochastic_depth_backward", dy=dy)
    images = (len(mask), *dy.shape[1:])
    require_shape(dy, images, "an output gradient", "(N, ...)", "stochastic_depth_backward")
    return dy.astype(mask.dtype, copy=False) * mask.reshape(-1, *(1,) * (dy.ndim - 1))


def survivors(images: int, p: float, *, rng: Any) -> Array:
    """Return the mask of stochastic depth: for each image 0, or ``1 / (1 - p)`` if it is kept."""
    require_probability(p)
    _require_generator(rng)
    kept: Array = rng.random((images, 1))[:, 0] >= p
    return kept * float(1 / (1 - p))


def _require_generator(rng: Any) -> None:
    if not hasattr(rng, "random"):
        raise ArgumentError(
            f"must be a generator as `np.random.default_rng(seed)`, received {rng!r}.", where="rng"
        )


def require_probability(p: float) -> None:
    """Refuse a ``p`` outside [0, 1): at 1 nothing would be left."""
    if not isinstance(p, Real) or not 0 <= p < 1:
        raise ArgumentError(
            f"must be a probability of at least 0 and below 1, received {p!r}.", where="p"
        )
