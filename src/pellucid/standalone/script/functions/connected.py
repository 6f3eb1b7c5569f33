"""Products with matrices, as a file of NumPy has them."""

from __future__ import annotations

import numpy as np

from ....typing import Array

__all__: list[str] = []


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return x · Wᵀ + b over the last axis."""
    y = x @ weight.T
    return y if bias is None else y + bias


def channel_linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return W · x + b over the channels of each pixel."""
    y = np.einsum("oc,ncij->noij", weight, x, optimize=True)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def radial_basis(x: Array, codes: Array) -> Array:
    """Return the negative squared distance to the code of each class."""
    return -((x[:, np.newaxis] - codes) ** 2).sum(axis=2)


def scale_and_shift(x: Array, weight: Array, bias: Array) -> Array:
    """Return w · x + b, with a number of each kind for each channel."""
    return x * weight.reshape(-1, 1, 1) + bias.reshape(-1, 1, 1)


def resample(x: Array, rows: Array, columns: Array) -> Array:
    """Return R · x · Qᵀ: each new row, and then column, is a weighted mean of old ones."""
    return rows @ x @ columns.T


def scale(x: Array, weight: Array) -> Array:
    """Return x · w."""
    return x * weight


def shift(x: Array, bias: Array) -> Array:
    """Return x + b."""
    return x + bias
