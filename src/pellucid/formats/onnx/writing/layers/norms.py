"""Normalizations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..... import nn
from .....typing import Array
from ..registry import writes
from ..sheet import Sheet, UnwritableError, Value
from .shapes import reduced

__all__: list[str] = []

NAMED = 17  # the first opset that has LayerNormalization


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
    hats = sheet.op("InstanceNormalization", rows, *_neutral(sheet, groups), epsilon=eps)
    back = sheet.op("Reshape", hats, sheet.op("Shape", x))
    around = [-1] + [1] * (len(x.shape) - 1)
    scaled = sheet.op("Mul", back, sheet.number(layer.weight.data.reshape(around), "weight"))
    return sheet.op("Add", scaled, sheet.number(layer.bias.data.reshape(around), "bias"))


@writes(nn.InstanceNorm2d)
def _instance_norm(sheet: Sheet, layer: nn.InstanceNorm2d, x: Value) -> str:
    if layer.weight is None or layer.bias is None:
        weights = _neutral(sheet, layer.num_features)
    else:
        weights = sheet.weight(layer.weight), sheet.weight(layer.bias)
    return sheet.op("InstanceNormalization", x, *weights, epsilon=float(layer.eps))


def _neutral(sheet: Sheet, channels: int) -> tuple[str, str]:
    """Return a scale and a shift that change nothing."""
    return sheet.number([1] * channels, "ones"), sheet.number([0] * channels, "zeros")


@writes(nn.LayerNorm)
def _layer_norm(sheet: Sheet, layer: nn.LayerNorm, x: Value) -> str:
    sizes, eps = layer.normalized_shape, float(layer.eps)
    bias = [] if layer.bias is None else [sheet.weight(layer.bias)]
    if sheet.opset >= NAMED:
        ones = np.ones(sizes)
        scale = sheet.number(ones, "ones") if layer.weight is None else sheet.weight(layer.weight)
        axis = -len(sizes)
        return sheet.op("LayerNormalization", x, scale, *bias, axis=axis, epsilon=eps)
    rank = 1 + len(x.shape)
    y = _standardised(sheet, x, range(rank - len(sizes), rank), eps)
    if layer.weight is not None:
        y = sheet.op("Mul", y, sheet.weight(layer.weight))
    return sheet.op("Add", y, *bias) if bias else y


@writes(nn.LayerNorm2d)
def _layer_norm_2d(sheet: Sheet, layer: nn.LayerNorm2d, x: Value) -> str:
    eps = float(layer.eps)
    if sheet.opset >= NAMED:
        weights = sheet.weight(layer.weight), sheet.weight(layer.bias)
        pixels = sheet.op("Transpose", x, perm=[0, 2, 3, 1])
        y = sheet.op("LayerNormalization", pixels, *weights, axis=-1, epsilon=eps)
        return sheet.op("Transpose", y, perm=[0, 3, 1, 2])
    weight, bias = (p.data.reshape(-1, 1, 1) for p in (layer.weight, layer.bias))
    scaled = sheet.op("Mul", _standardised(sheet, x, [1], eps), sheet.number(weight, "weight"))
    return sheet.op("Add", scaled, sheet.number(bias, "bias"))


def _standardised(sheet: Sheet, x: Value, axes: Sequence[int], eps: float) -> str:
    """Write ``(x - μ) / √(σ² + ε)`` along ``axes``."""
    apart = sheet.op("Sub", x, reduced(sheet, "Mean", x, axes, keepdims=True))
    variance = reduced(sheet, "Mean", sheet.op("Mul", apart, apart), axes, keepdims=True)
    more = sheet.op("Add", variance, sheet.number(eps, "eps"))
    return sheet.op("Div", apart, sheet.op("Sqrt", more))


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
    """Write two subtractions where the mean's rounding error would count, as the layer does."""
    mean, std = (np.array(values).reshape(-1, 1, 1) for values in (layer.mean, layer.std))
    rest = mean - mean.astype(sheet.dtype)
    y = sheet.op("Sub", x, sheet.number(mean, "mean"))
    if (abs(rest) >= np.finfo(sheet.dtype).eps * std / 2).any():
        y = sheet.op("Sub", y, sheet.number(rest, "rest"))
    return sheet.op("Div", y, sheet.number(std, "std"))
