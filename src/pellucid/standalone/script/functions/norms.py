"""Normalizations, as a file of NumPy has them."""

from __future__ import annotations

import numpy as np

from ....typing import Array

__all__: list[str] = []


def standardised(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """Return (x - μ) / √(σ² + ε), with mean and variance along axes."""
    apart = x - x.mean(axis=axes, keepdims=True)
    return apart / np.sqrt((apart * apart).mean(axis=axes, keepdims=True) + eps)


def channelwise(values: Array, x: Array) -> Array:
    """Return one number for each channel so that it broadcasts over x (N, C, ...)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def normalize(x: Array, mean: Array, std: Array) -> Array:
    """Return (x - mean) / std, by statistics of the training images for each channel."""
    return (x - mean) / std


def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    *,
    eps: float,
) -> Array:
    """Return γ · (x - μ) / √(σ² + ε) + β for each channel, with the statistics of training."""
    factor = weight / np.sqrt(running_var + eps)
    return channelwise(factor, x) * x + channelwise(bias - factor * running_mean, x)


def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, groups: int, eps: float
) -> Array:
    """Normalise the numbers of each group of channels of each image; then scale and shift."""
    y = standardised(x.reshape(len(x), groups, -1), (2,), eps).reshape(x.shape)
    if weight is not None:
        y = y * channelwise(weight, x)
    return y if bias is None else y + channelwise(bias, x)


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, axes: int, eps: float
) -> Array:
    """Normalise over the last `axes` axes; then scale and shift."""
    y = standardised(x, tuple(range(-axes, 0)), eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def layer_norm2d(x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """Normalise over the channels of each pixel; then scale and shift each channel."""
    return standardised(x, (1,), eps) * channelwise(weight, x) + channelwise(bias, x)


def local_response_norm(x: Array, *, size: int, alpha: float, beta: float, k: float) -> Array:
    """Divide by a power of the sum of squares over neighbouring channels.

    y[c] = x[c] / (k + alpha/size · Σ x[d]²)^beta, with d from c - size/2 to c + (size - 1)/2
    """
    channels = x.shape[1]
    squares = np.pad(x * x, ((0, 0), (size // 2, size // 2), *[(0, 0)] * (x.ndim - 2)))
    near = sum(squares[:, d : d + channels] for d in range(size))
    return x / (k + alpha / size * near) ** beta
