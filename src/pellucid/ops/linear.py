"""The fully connected layer: every output is a weighted sum of every input.

    y[n,o] = b[o] + Σ_i w[o,i] · x[n,i]

    ∂L/∂x = dy · w      ∂L/∂w = dyᵀ · x      ∂L/∂b = Σ_n dy[n]

More axes between N and the last one are further rows.

("Deep Learning from Scratch", section 5.6, where it is called Affine and ``W`` is stored as the
transpose of ``w``.)
"""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..typing import Array
from .checks import (
    as_terms,
    require_image_shape,
    require_images,
    require_no_wider,
    require_real,
    require_shape,
)
from .sums import total

__all__ = [
    "channel_linear",
    "channel_linear_backward",
    "linear",
    "linear_backward",
    "require_features",
]


def linear(x: Array, w: Array, b: Array | None = None) -> Array:
    """Return ``x · wᵀ + b``.

    Parameters
    ----------
    x : array (N, in), or (N, ..., in)
    w : array (out, in)
    b : array (out,), optional

    Returns
    -------
    array (N, out), or (N, ..., out)

    Raises
    ------
    ShapeError
        If the last axis of ``x`` is not that of ``w``, or ``b`` not (out,).

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    require_no_wider(x, "linear", w=w, b=b)
    _require_matrix(w, "linear")
    require_features(x.shape[1:], w.shape[1])
    x = as_terms(x, w)
    if b is None:
        return x @ w.T
    require_shape(b, (len(w),), "a bias", "(out,)", "linear")
    return x @ w.T + b


def linear_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return ``dx`` (N, ..., in), ``dw`` (out, in) and ``db`` (out,) for ``dy`` (N, ..., out)."""
    where = "linear_backward"
    require_no_wider(x, where, w=w, dy=dy)
    _require_matrix(w, where)
    require_features(x.shape[1:], w.shape[1])
    letters = "(N, out)" if x.ndim == 2 else "(N, ..., out)"
    require_shape(dy, (*x.shape[:-1], len(w)), "an output gradient", letters, where)
    rows = dy.reshape(-1, len(w))
    return dy @ w, rows.T @ x.reshape(-1, x.shape[-1]), total(rows, 0)


def channel_linear(x: Array, w: Array, b: Array | None = None) -> Array:
    """Return `linear` of the channels of each pixel, ``y[n,o,i,j] = b[o] + Σ_c w[o,c] · x[n,c,i,j]``.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (out, C)
    b : array (out,), optional

    Returns
    -------
    array (N, out, H, W)

    Raises
    ------
    ShapeError
        If ``x`` is not (N, C, H, W), or ``b`` not (out,).

    Examples
    --------
    >>> import numpy as np
    >>> channel_linear(np.ones((1, 2, 1, 3)), np.array([[3.0, 4.0]]))
    array([[[[7., 7., 7.]]]])
    """  # noqa: E501
    _require_channels(x, w, "channel_linear")
    y = linear(_channels_last(x), w, b)
    return np.ascontiguousarray(np.moveaxis(y, -1, 1))


def channel_linear_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return ``dx`` (N, C, H, W), ``dw`` (out, C) and ``db`` (out,) for ``dy`` (N, out, H, W)."""
    where = "channel_linear_backward"
    _require_channels(x, w, where)
    require_shape(dy, (len(x), len(w), *x.shape[2:]), "an output gradient", "(N, out, H, W)", where)
    dx, dw, db = linear_backward(_channels_last(dy), _channels_last(x), w)
    return np.ascontiguousarray(np.moveaxis(dx, -1, 1)), dw, db


def _channels_last(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def _require_channels(x: Array, w: Array, where: str) -> None:
    require_images(x, where)
    _require_matrix(w, where)
    require_linear_channels(x.shape[1:], w.shape[1])


def require_linear_channels(shape: tuple[int, ...], channels: int) -> None:
    """Refuse images of a ``shape`` (C, H, W) with other channels."""
    require_image_shape(shape, "channel_linear")
    if shape[0] != channels:
        raise ShapeError(
            f"expects {channels} channels, received {shape[0]}. Build it as "
            f"`ChannelLinear({shape[0]}, ...)`, or change the layers before it.",
            where="channel_linear",
        )


def require_features(shape: tuple[int, ...], features: int) -> None:
    """Refuse an input ``shape`` (without N) whose last axis is not that of the features."""
    if len(shape) > 1 and shape[-1] != features:
        raise ShapeError(
            f"expects rows of {features} numbers, received shape {tuple(shape)} for each image. "
            "Put a Flatten before the first Linear.",
            where="linear",
        )
    if shape[-1:] != (features,):
        received = shape[0] if shape else "a single number"
        raise ShapeError(
            f"expects {features} input features, received {received}. Build it as "
            f"`Linear({received}, ...)`, or change the size of the layers before it.",
            where="linear",
        )


def _require_matrix(w: Array, where: str) -> None:
    require_real(w, where, "w")
    if w.ndim != 2:
        raise ShapeError(f"expects weights (out, in), received shape {w.shape}.", where=where)
