"""The mean and the deviation of images, channel by channel."""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array

__all__ = ["channel_statistics"]

CHUNK = 2**23  # numbers that are converted to float64 at a time


def channel_statistics(images: Array, peak: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the deviation of each channel of ``images / peak``, (N, C, H, W).

    Examples
    --------
    >>> images = np.array([0, 255, 102, 102], dtype=np.uint8).reshape(2, 2, 1, 1)
    >>> channel_statistics(images, 255)
    ((0.2, 0.7), (0.2, 0.3))
    """
    n, c, h, w = images.shape
    # Squares around zero would cancel if the mean is far from it: subtract that of a few images.
    # In chunks: as float64 all would take 8 times the memory.
    step = max(1, min(256, CHUNK // (c * h * w)))
    around = images[:step].mean(axis=(0, 2, 3), dtype=np.float64, keepdims=True)
    sums = np.zeros((2, c))
    for start in range(0, n, step):
        x = images[start : start + step] - around
        sums += x.sum(axis=(0, 2, 3)), np.einsum("nchw,nchw->c", x, x)
    off, square = sums / (n * h * w)
    deviation = np.sqrt(np.maximum(square - off**2, 0))
    deviation[deviation < 1e-6 * peak] = peak
    mean, deviation = (around.ravel() + off) / peak, deviation / peak
    # Six decimals, or six significant digits of a smaller deviation, and the mean likewise.
    places = [max(6, 5 - math.floor(math.log10(d))) for d in deviation]
    return (
        tuple(round(float(m), k) for m, k in zip(mean, places, strict=True)),
        tuple(round(float(d), k) for d, k in zip(deviation, places, strict=True)),
    )
