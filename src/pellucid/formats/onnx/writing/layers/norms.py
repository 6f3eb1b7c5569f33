"""Normalizations."""

from __future__ import annotations

import numpy as np

from ..... import nn
from .....typing import Array
from ..registry import writes
from ..sheet import Sheet, UnwritableError, Value

__all__: list[str] = []


@writes(nn.BatchNorm2d)
def _batch_norm(sheet: Sheet, layer: nn.BatchNorm2d, x: Value) -> str:
    buffers = layer.weight, layer.bias, layer.running_mean, layer.running_var
    return sheet.op("BatchNormalization", x, *map(sheet.weight, buffers), epsilon=float(layer.eps))


@writes(nn.GroupNorm)
def _group_norm(sheet: Sheet, layer: nn.GroupNorm, x: Value) -> str:
    """Write GroupNormalization, whose scale is per channel from opset 21 on; else its parts.

    InstanceNormalization normalises each group, seen as a channel of a row of numbers.
    """
    groups, eps = layer.num_groups, float(layer.eps)
    if sheet.opset >= 21 and len(x.shape) == 3:
        weights = sheet.weight(layer.weight), sheet.weight(layer.bias)
        return sheet.op("GroupNormalization", x, *weights, epsilon=eps, num_groups=groups)
    rows = sheet.op("Reshape", x, sheet.integers([0, groups, -1], "groups"))
    ones, zeros = (
        sheet.number([value] * groups, name) for value, name in ((1, "ones"), (0, "zeros"))
    )
    hats = sheet.op("InstanceNormalization", rows, ones, zeros, epsilon=eps)
    back = sheet.op("Reshape", hats, sheet.op("Shape", x))
    around = [-1] + [1] * (len(x.shape) - 1)
    scaled = sheet.op("Mul", back, sheet.number(layer.weight.data.reshape(around), "weight"))
    return sheet.op("Add", scaled, sheet.number(layer.bias.data.reshape(around), "bias"))


@writes(nn.LocalResponseNorm)
def _local_response_norm(sheet: Sheet, layer: nn.LocalResponseNorm, x: Value) -> str:
    """Write LRN; with an even size, where ONNX sees other neighbours, a product with their sum."""
    size, alpha, beta, k = layer.size, float(layer.alpha), float(layer.beta), float(layer.k)
    if size % 2:
        return sheet.op("LRN", x, size=size, alpha=alpha, beta=beta, bias=k)
    squares = sheet.op("Mul", x, x)
    near = alpha / size * _neighbours(x.example[0], size)
    if len(x.shape) == 3:
        filters = sheet.number(near[..., np.newaxis, np.newaxis], "neighbours")
        sums = sheet.op("Conv", squares, filters, kernel_shape=[1, 1])
    elif len(x.shape) == 1:
        sums = sheet.op("MatMul", squares, sheet.number(near.T, "neighbours"))
    else:
        raise UnwritableError("an even size is written for images and rows only")
    scale = sheet.op("Add", sums, sheet.number(k, "k"))
    return sheet.op("Div", x, sheet.op("Pow", scale, sheet.number(beta, "beta")))


def _neighbours(channels: int, size: int) -> Array:
    """Return which channels (columns) are neighbours of each one (rows), as 0 and 1."""
    steps = np.arange(channels) - np.arange(channels)[:, np.newaxis]
    return ((-(size // 2) <= steps) & (steps <= (size - 1) // 2)).astype(np.float64)


@writes(nn.Normalize)
def _normalize(sheet: Sheet, layer: nn.Normalize, x: Value) -> str:
    mean, std = (np.array(values).reshape(-1, 1, 1) for values in (layer.mean, layer.std))
    return sheet.op("Div", sheet.op("Sub", x, sheet.number(mean, "mean")), sheet.number(std, "std"))
