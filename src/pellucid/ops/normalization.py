"""Batch normalisation and group normalisation.

Batch normalisation, per channel c over the m = N·H·W values of a batch:

    x̂ = (x - μ) / √(σ² + ε),   y = γ · x̂ + β

    ∂L/∂x = γ / √(σ² + ε) · (dy - mean(dy) - x̂ · mean(dy · x̂))

(Ioffe & Szegedy 2015, "Batch normalization", algorithm 1 and section 3.2 for images.)

Group normalisation has the same equations, over the m = (C/G)·H·W values of each image and group of
C/G neighbouring channels; with h = γ · dy and σ of that image and group:

    ∂L/∂x = (h - mean(h) - x̂ · mean(h · x̂)) / √(σ² + ε)

(Wu & He 2018, "Group normalization", section 3, eq. 1 to 3 and 7.)
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ShapeError
from ..typing import Array, Shape
from .checks import (
    as_floats,
    gradient_like,
    require_channel_axis,
    require_count,
    require_no_wider,
    require_real,
    require_shape,
)
from .standardization import inverse_deviation, standardized, standardized_backward

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_fixed_backward",
    "batch_statistics",
    "group_norm",
    "group_norm_backward",
]


def batch_norm(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float = 1e-5
) -> tuple[Array, Array]:
    """Normalise each channel by ``mean`` and ``var`` (C,), then scale and shift.

    Parameters
    ----------
    x : array (N, C) or (N, C, H, W)
    gamma, beta : arrays (C,)
        Scale and shift.
    mean, var : arrays (C,)
        Those of the batch, from `batch_statistics`; the running ones in evaluation.
    eps : float
        Added to the variance, so that nothing is divided by 0.

    Returns
    -------
    y, x_hat : arrays like ``x``
        The result, and the normalised input for `batch_norm_backward`.

    Raises
    ------
    ShapeError
        If an array does not have one number for each channel.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> batch_norm(x, np.ones(1), np.zeros(1), *batch_statistics(x), eps=0.0)[0].ravel()
    array([-1.,  1.])
    """
    x = as_floats(x, "batch_norm")
    _require_channels(x, "batch_norm", gamma=gamma, beta=beta, mean=mean, var=var)
    require_no_wider(x, "batch_norm", gamma=gamma, beta=beta)
    x_hat = _centred(x, mean) * _per_channel(inverse_deviation(var, eps), x)
    return _per_channel(gamma, x) * x_hat + _per_channel(beta, x), x_hat


def batch_norm_backward(
    dy: Array, x_hat: Array, gamma: Array, var: Array, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Return ``dx`` like ``dy``, and ``dgamma`` and ``dbeta`` (C,), also through the statistics."""
    dy, dgamma, dbeta = _sums(dy, x_hat, gamma, var)
    m = max(dy.size // dy.shape[1], 1)
    scale = gamma * inverse_deviation(var, eps)
    centred = _centred(dy, dbeta / m) - x_hat * _per_channel(dgamma / m, dy)
    return _per_channel(scale, dy) * centred, dgamma.astype(dy.dtype), dbeta.astype(dy.dtype)


def batch_norm_fixed_backward(
    dy: Array, x_hat: Array, gamma: Array, var: Array, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Return ``dx``, ``dgamma`` and ``dbeta`` where mean and variance are constants."""
    dy, dgamma, dbeta = _sums(dy, x_hat, gamma, var)
    dx = dy * _per_channel(gamma * inverse_deviation(var, eps), dy)
    return dx, dgamma.astype(dy.dtype), dbeta.astype(dy.dtype)


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Return mean and (biased) variance (C,) of each channel of ``x``, in float64.

    Raises
    ------
    ShapeError
        If a channel has only one value, whose variance would be 0.
    """
    require_real(x, "batch_statistics")
    if x.ndim not in (2, 4):
        raise ShapeError(f"expects (N, C) or (N, C, H, W), received shape {x.shape}.")
    if x.size <= x.shape[1]:
        raise ShapeError(
            f"needs more than one value per channel in training, received shape {x.shape}. "
            "Use a larger batch, or evaluation mode."
        )
    x, axes = as_floats(x, "batch_statistics"), _all_but_channels(x)
    wide = np.promote_types(x.dtype, np.float64)
    mean = x.mean(axis=axes, dtype=wide)
    # The squares of float16 would overflow from 256 on.
    around = _centred(x.astype(np.promote_types(x.dtype, np.float32), copy=False), mean)
    return mean, np.square(around, out=around).mean(axis=axes, dtype=wide)


def group_norm(
    x: Array, groups: int, gamma: Array, beta: Array, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Normalise each group of channels of each image by its own mean and variance.

    Parameters
    ----------
    x : array (N, C, ...)
    groups : int
        G; must divide C.
    gamma, beta : arrays (C,)
        Scale and shift.
    eps : float
        Added to the variance, so that nothing is divided by 0.

    Returns
    -------
    y, x_hat : arrays like ``x``
        The result, and the normalised input for `group_norm_backward`.
    inverse : array (N, G)
        ``1 / √(σ² + ε)``, also for `group_norm_backward`.

    Raises
    ------
    ShapeError
        If scale or shift do not have one number for each channel, if ``groups`` does not divide
        the channels, or if a group has only one value, whose variance would be 0.

    Examples
    --------
    >>> x = np.array([[1.0, 3.0, 10.0, 30.0]])
    >>> group_norm(x, 2, np.ones(4), np.zeros(4), eps=0.0)[0]
    array([[-1.,  1., -1.,  1.]])
    """
    x = as_floats(x, "group_norm")
    _require_channels(x, "group_norm", gamma=gamma, beta=beta)
    require_no_wider(x, "group_norm", gamma=gamma, beta=beta)
    x_hat, inverse = standardized(_by_group(x, groups, "group_norm"), eps)
    x_hat = x_hat.reshape(x.shape)
    return _per_channel(gamma, x) * x_hat + _per_channel(beta, x), x_hat, inverse


def group_norm_backward(
    dy: Array, x_hat: Array, groups: int, gamma: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Return ``dx`` like ``dy``, and ``dgamma`` and ``dbeta`` (C,), also through the statistics."""
    where = "group_norm_backward"
    dy = gradient_like(dy, x_hat, where)
    _require_channels(x_hat, where, gamma=gamma)
    require_shape(inverse, (len(dy), groups), "inverse", "(N, G)", where)
    h, hat = (_by_group(a, groups, where) for a in (dy * _per_channel(gamma, dy), x_hat))
    dx = standardized_backward(h, hat, inverse)
    wide = np.promote_types(dy.dtype, np.float64)
    axes = _all_but_channels(dy)
    dgamma, dbeta = (a.sum(axis=axes, dtype=wide).astype(dy.dtype) for a in (dy * x_hat, dy))
    return dx.reshape(dy.shape), dgamma, dbeta


def _by_group(x: Array, groups: int, where: str) -> Array:
    """Return ``x`` as (N, G, values of a group), or refuse these groups."""
    require_groups(x.shape[1:], groups, where)
    return x.reshape(len(x), groups, math.prod(x.shape[1:]) // groups)


def require_groups(shape: Shape, groups: int, where: str) -> None:
    """Refuse groups that do not divide the channels of ``shape``, or that have only one value."""
    require_count(groups, "groups")
    if shape[0] % groups:
        raise ShapeError(
            f"needs groups of equal size: {groups} groups do not divide {shape[0]} channels.",
            where=where,
        )
    if math.prod(shape) == groups:
        raise ShapeError(
            f"needs more than one value per group, received shape {tuple(shape)} for {groups} "
            "groups. Use fewer groups.",
            where=where,
        )


def _sums(dy: Array, x_hat: Array, gamma: Array, var: Array) -> tuple[Array, Array, Array]:
    """Return ``dy``, and the gradients of scale and shift in float64."""
    where = "batch_norm_backward"
    dy = gradient_like(dy, x_hat, where)
    _require_channels(x_hat, where, gamma=gamma, var=var)
    axes = _all_but_channels(dy)
    wide = np.promote_types(dy.dtype, np.float64)
    return dy, (dy * x_hat).sum(axis=axes, dtype=wide), dy.sum(axis=axes, dtype=wide)


def _centred(x: Array, mean: Array) -> Array:
    """Return ``x - mean`` in the dtype of x, without losing digits where a mean is far from 0."""
    rounded = mean.astype(x.dtype)
    return (x - _per_channel(rounded, x)) - _per_channel(mean - rounded, x)


def _all_but_channels(x: Array) -> tuple[int, ...]:
    return tuple(axis for axis in range(x.ndim) if axis != 1)


def _per_channel(values: Array, x: Array) -> Array:
    """Return ``values`` (C,) in the dtype of ``x``, to broadcast over its channels."""
    return values.astype(x.dtype, copy=False).reshape(1, -1, *(1,) * (x.ndim - 2))


def _require_channels(x: Array, where: str, **arrays: Array) -> None:
    """Refuse arrays that do not have one number for each channel of ``x``."""
    require_channel_axis(x, where)
    for name, array in arrays.items():
        require_shape(array, x.shape[1:2], name, "(C,)", where)
