"""Layer normalisation: over the last axes of each image, or over the channels of each pixel.

    x̂ = (x - μ) / √(σ² + ε),   y = γ · x̂ + β

    ∂L/∂x = (h - mean(h) - x̂ · mean(h · x̂)) / √(σ² + ε)  with h = γ · dy

with μ and σ² of the m values that are normalised together; γ and β have one number for each of
them. (Ba, Kiros & Hinton 2016, "Layer normalization", eq. 3 and 4; over the channels of each pixel:
Liu et al. 2022, "A ConvNet for the 2020s", section 2.6.)
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ShapeError
from ..typing import Array, Shape
from .checks import as_floats, gradient_like, require_images, require_no_wider, require_shape
from .standardization import standardized, standardized_backward

__all__ = [
    "layer_norm",
    "layer_norm2d",
    "layer_norm2d_backward",
    "layer_norm_backward",
]


def layer_norm(
    x: Array,
    shape: Shape,
    gamma: Array | None = None,
    beta: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """Normalise over the last axes, then scale and shift.

    Parameters
    ----------
    x : array (N, ..., *shape)
    shape : tuple of int
        The sizes of the last axes, over which mean and variance are taken together.
    gamma, beta : arrays of ``shape``, optional
        Scale and shift.
    eps : float
        Added to the variance, so that nothing is divided by 0.

    Returns
    -------
    y, x_hat : arrays like ``x``
        The result, and the normalised input for `layer_norm_backward`.
    inverse : array (N, ...)
        ``1 / √(σ² + ε)``, also for `layer_norm_backward`.

    Raises
    ------
    ShapeError
        If the last axes of ``x`` are not ``shape``, or scale or shift not of ``shape``.

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), (2,), eps=0.0)[0]
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    x = as_floats(x, "layer_norm")
    require_last_axes(x.shape[1:], shape)
    require_no_wider(x, "layer_norm", gamma=gamma, beta=beta)
    x_hat, inverse = standardized(_rows(x, shape), eps)
    y = x_hat = x_hat.reshape(x.shape)
    if gamma is not None:
        y = _of_shape(gamma, shape, "gamma", x) * y
    if beta is not None:
        y = y + _of_shape(beta, shape, "beta", x)
    return y, x_hat, inverse


def layer_norm_backward(
    dy: Array, x_hat: Array, shape: Shape, gamma: Array | None, inverse: Array
) -> tuple[Array, Array, Array]:
    """Return ``dx`` like ``dy``, and ``dgamma`` and ``dbeta`` of ``shape``."""
    where = "layer_norm_backward"
    dy = gradient_like(dy, x_hat, where)
    require_last_axes(dy.shape[1:], shape)
    lead = dy.shape[: dy.ndim - len(shape)]
    require_shape(inverse, lead, "inverse", "(N, ...)", where)
    h = dy if gamma is None else dy * _of_shape(gamma, shape, "gamma", dy)
    dx = standardized_backward(_rows(h, shape), _rows(x_hat, shape), inverse)
    axes, wide = tuple(range(len(lead))), np.promote_types(dy.dtype, np.float64)
    dgamma, dbeta = (a.sum(axis=axes, dtype=wide).astype(dy.dtype) for a in (dy * x_hat, dy))
    return dx.reshape(dy.shape), dgamma, dbeta


def layer_norm2d(
    x: Array, gamma: Array, beta: Array, eps: float = 1e-6
) -> tuple[Array, Array, Array]:
    """Normalise over the channels of each pixel, then scale and shift each channel.

    Parameters
    ----------
    x : array (N, C, H, W)
    gamma, beta : arrays (C,)
    eps : float

    Returns
    -------
    y, x_hat : arrays like ``x``
    inverse : array (N, H, W)

    Raises
    ------
    ShapeError
        If ``x`` is not (N, C, H, W), or scale or shift not (C,).

    Examples
    --------
    >>> x = np.array([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> layer_norm2d(x, np.ones(2), np.zeros(2), eps=0.0)[0].ravel()
    array([-1.,  1.])
    """
    require_images(x, "layer_norm2d")
    y, x_hat, inverse = layer_norm(np.moveaxis(x, 1, -1), x.shape[1:2], gamma, beta, eps)
    return _channels_first(y), _channels_first(x_hat), inverse


def layer_norm2d_backward(
    dy: Array, x_hat: Array, gamma: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Return ``dx`` like ``dy``, and ``dgamma`` and ``dbeta`` (C,)."""
    dy = gradient_like(dy, x_hat, "layer_norm2d_backward")
    dy, x_hat = np.moveaxis(dy, 1, -1), np.moveaxis(x_hat, 1, -1)
    dx, dgamma, dbeta = layer_norm_backward(dy, x_hat, dy.shape[-1:], gamma, inverse)
    return _channels_first(dx), dgamma, dbeta


def require_last_axes(shape: Shape, normalized: Shape) -> None:
    """Refuse a ``shape`` without N that does not end in the axes to normalise."""
    if tuple(shape)[-len(normalized) :] != tuple(normalized):
        raise ShapeError(
            f"normalises over the last axes, of shape {tuple(normalized)}; received "
            f"{tuple(shape)}. For the channels of each pixel of images there is `LayerNorm2d`.",
            where="layer_norm",
        )


def _rows(x: Array, shape: Shape) -> Array:
    """Return ``x`` with its last axes, of ``shape``, as one."""
    return x.reshape(*x.shape[: x.ndim - len(shape)], math.prod(shape))


def _of_shape(values: Array, shape: Shape, name: str, x: Array) -> Array:
    require_shape(values, tuple(shape), name, "of the normalised axes", "layer_norm")
    return values.astype(x.dtype, copy=False)


def _channels_first(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))
