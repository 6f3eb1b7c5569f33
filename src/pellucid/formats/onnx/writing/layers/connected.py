"""Fully connected layers, and layers connected at each position."""

from __future__ import annotations

import numpy as np

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value
from .windows import sliding

__all__: list[str] = []


@writes(nn.Linear)
def _linear(sheet: Sheet, layer: nn.Linear, x: Value) -> str:
    rows = len(x.shape) == 1
    if rows and (layer.bias is not None or sheet.opset >= 11):
        bias = [] if layer.bias is None else [sheet.weight(layer.bias)]
        return sheet.op("Gemm", x, sheet.weight(layer.weight), *bias, transB=1)
    weight = sheet.op("Transpose", sheet.weight(layer.weight), perm=[1, 0])
    y = sheet.op("MatMul", x, weight)
    return y if layer.bias is None else sheet.op("Add", y, sheet.weight(layer.bias))


@writes(nn.ChannelLinear)
def _channel_linear(sheet: Sheet, layer: nn.ChannelLinear, x: Value) -> str:
    filters = sheet.number(layer.image_filters(), "weight")
    bias = [] if layer.bias is None else [sheet.weight(layer.bias)]
    return sheet.op("Conv", x, filters, *bias, kernel_shape=[1, 1])


@writes(nn.LocallyConnected2d)
def _locally_connected(sheet: Sheet, layer: nn.LocallyConnected2d, x: Value) -> str:
    """Collect each window by a convolution with filters of a single 1, then one product a place."""
    oh, ow, out, c, fh, fw = layer.weight.data.shape
    cells = c * fh * fw
    ones = np.tile(np.eye(fh * fw).reshape(fh * fw, 1, fh, fw), (c, 1, 1, 1))
    windows = sheet.op("Conv", x, sheet.number(ones, "cells"), group=c, **sliding(sheet, layer, x))
    columns = sheet.op("Reshape", windows, sheet.integers([0, cells, oh * ow], "columns"))
    rows = sheet.op("Transpose", columns, perm=[2, 0, 1])  # (OH·OW, N, C·FH·FW)
    filters = layer.weight.data.reshape(oh * ow, out, cells).swapaxes(1, 2)
    products = sheet.op("MatMul", rows, sheet.number(filters, "weight"))  # (OH·OW, N, FN)
    images = sheet.op("Transpose", products, perm=[1, 2, 0])
    y = sheet.op("Reshape", images, sheet.integers([0, out, oh, ow], "images"))
    return y if layer.bias is None else sheet.op("Add", y, sheet.weight(layer.bias))


@writes(nn.Flatten)
def _flatten(sheet: Sheet, layer: nn.Flatten, x: Value) -> str:
    if len(x.shape) == 1:
        return x.name
    return sheet.op("Flatten", x, axis=1)
