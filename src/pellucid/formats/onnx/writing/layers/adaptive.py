"""Pooling to an output of a given size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..... import nn, ops
from ..registry import writes
from ..sheet import Sheet, Value
from .resizing import multiplied
from .shapes import gathered

__all__: list[str] = []


@writes(nn.AdaptiveAvgPool2d)
def _adaptive_avg_pool(sheet: Sheet, layer: nn.AdaptiveAvgPool2d, x: Value) -> str:
    """Write windows where the bins are alike; else a product with a matrix for each axis."""
    if layer.output_size == 1:
        return sheet.op("GlobalAveragePool", x)
    image, size = _sizes(layer, x)
    if (window := _window(image, size)) is not None:
        return sheet.op("AveragePool", x, kernel_shape=window, strides=window)
    matrices = (ops.averaging_matrix(n, out) for n, out in zip(image, size, strict=True))
    return multiplied(sheet, x, *matrices)


@writes(nn.AdaptiveMaxPool2d)
def _adaptive_max_pool(sheet: Sheet, layer: nn.AdaptiveMaxPool2d, x: Value) -> str:
    """Write windows where the bins are alike; else repeat cells until they are."""
    if layer.output_size == 1:
        return sheet.op("GlobalMaxPool", x)
    image, size = _sizes(layer, x)
    if (window := _window(image, size)) is not None:
        return sheet.op("MaxPool", x, kernel_shape=window, strides=window)
    y: Value | str = x
    window = []
    for axis, (n, out) in enumerate(zip(image, size, strict=True), 2):
        bins = ops.bins(n, out)
        longest = max(end - first for first, end in bins)
        places = [min(first + k, end - 1) for first, end in bins for k in range(longest)]
        y = gathered(sheet, y, axis, np.array(places))
        window.append(longest)
    return sheet.op("MaxPool", y, kernel_shape=window, strides=window)


def _sizes(
    layer: nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d, x: Value
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the rows and columns of the image, and of the output."""
    shape = x.require_size("the division into bins")
    return shape[1:], layer.output_shape(shape)[1:]


def _window(image: Sequence[int], size: Sequence[int]) -> list[int] | None:
    """Return the window and stride of bins that are all alike, or None."""
    if any(n % out for n, out in zip(image, size, strict=True)):
        return None
    return [n // out for n, out in zip(image, size, strict=True)]
