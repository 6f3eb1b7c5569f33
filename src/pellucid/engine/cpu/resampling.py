"""Resampling of channels-last images by a kernel, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...kernels import resampling
from ...typing import Array
from .launch import launch

__all__ = ["Resampling"]

GRAIN = 2**17  # numbers that a task reads: some 20 µs


class Resampling:
    """Multiplication of images by ``rows`` (OH, H) and ``columns`` (OW, W), and its gradient.

    Images are (N, H, W, C), float32, C-contiguous.

    Attributes
    ----------
    kernels : tuple of function
        What it runs.
    """

    kernels: tuple[Callable[..., Any], ...] = (resampling.resample,)

    def __init__(self, rows: Array, columns: Array) -> None:
        self._reads = resampling.weights(rows), resampling.weights(columns)
        self._readers = resampling.weights(rows.T), resampling.weights(columns.T)

    def forward(self, x: Array, y: Array) -> None:
        """Write the resampled images to ``y``."""
        _run(x, y, *self._reads)

    def backward(self, dy: Array, dx: Array) -> None:
        """Write the gradient of the images to ``dx``."""
        _run(dy, dx, *self._readers)


def _run(x: Array, y: Array, rows: resampling.Weights, columns: resampling.Weights) -> None:
    n, height, width, channels = y.shape
    cells = max(1.0, len(rows.cells) * len(columns.cells) / (height * width))
    per = max(1, int(GRAIN / (width * channels * cells)))
    launch(resampling.resample, -(-n * height // per), y.size * cells, x, y, rows, columns, per)
