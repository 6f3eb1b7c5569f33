"""Mean 0 and variance 1 over groups of values: what group and layer normalisation share.

    x̂ = (x - μ) / √(σ² + ε)          dx = (dx̂ - mean(dx̂) - x̂ · mean(dx̂ · x̂)) / √(σ² + ε)

with μ and σ² of the m values along the last axis. Means are computed in float64.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array

__all__ = ["inverse_deviation", "standardized", "standardized_backward"]


def standardized(values: Array, eps: float) -> tuple[Array, Array]:
    """Return x̂ like ``values`` (..., m), and ``1 / √(σ² + ε)`` (...) in float64."""
    wide = np.promote_types(values.dtype, np.float64)
    mean = values.mean(axis=-1, keepdims=True, dtype=wide)
    rounded = mean.astype(values.dtype)
    around = (values - rounded) - (mean - rounded).astype(values.dtype)
    # The squares of float16 would overflow from 256 on.
    squares = np.square(around.astype(np.promote_types(values.dtype, np.float32), copy=False))
    inverse = inverse_deviation(squares.mean(axis=-1, dtype=wide), eps)
    return around * inverse[..., np.newaxis].astype(values.dtype), inverse


def standardized_backward(dx_hat: Array, x_hat: Array, inverse: Array) -> Array:
    """Return ``dx`` like ``x_hat`` (..., m), also through mean and variance."""
    wide = np.promote_types(dx_hat.dtype, np.float64)
    mean = dx_hat.mean(axis=-1, keepdims=True, dtype=wide).astype(dx_hat.dtype)
    along = (dx_hat * x_hat).mean(axis=-1, keepdims=True, dtype=wide).astype(dx_hat.dtype)
    dx: Array = (dx_hat - mean - x_hat * along) * inverse[..., np.newaxis].astype(dx_hat.dtype)
    return dx


def inverse_deviation(var: Array, eps: float) -> Array:
    """Return the reciprocal of the standard deviation, in float64 at least."""
    wide = var.astype(np.promote_types(var.dtype, np.float64), copy=False)
    return np.asarray((wide + eps) ** -0.5)
