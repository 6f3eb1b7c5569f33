"""Layers in 8-bit integers, as pairs of QuantizeLinear and DequantizeLinear around operators.

Such a graph (QDQ) computes in real numbers what the layer computes in integers: runtimes that know
integer products put these in the place of a pair with what lies between.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, UnwritableError, Value
from .windows import sliding

__all__: list[str] = []

OPSET = 13  # from which each filter has a scale of its own
LARGEST = 2**31 - 1


@writes(nn.QuantizedConv2d)
def _conv(sheet: Sheet, layer: nn.QuantizedConv2d, x: Value) -> str:
    inputs = _rounded(sheet, layer, x), _weight(sheet, layer), *_bias(sheet, layer)
    return sheet.op("Conv", *inputs, group=layer.groups, **sliding(sheet, layer, x))


@writes(nn.QuantizedLinear)
def _linear(sheet: Sheet, layer: nn.QuantizedLinear, x: Value) -> str:
    rows, weight, bias = _rounded(sheet, layer, x), _weight(sheet, layer), _bias(sheet, layer)
    if len(x.shape) == 1:
        return sheet.op("Gemm", rows, weight, *bias, transB=1)
    y = sheet.op("MatMul", rows, sheet.op("Transpose", weight, perm=[1, 0]))
    return sheet.op("Add", y, *bias) if bias else y


def _rounded(sheet: Sheet, layer: Any, x: Value) -> str:
    """Write the rounding of the input to its codes."""
    sheet.require_opset(OPSET, "a scale for each filter")
    if sheet.dtype != np.float32:
        raise UnwritableError(f"8-bit integers stand for float32, not for {sheet.dtype}")
    codes = (
        sheet.number(layer.input_scale, "scale"),
        sheet.constant(np.array(layer.zero_point, np.uint8), "zero_point"),
    )
    return sheet.op("DequantizeLinear", sheet.op("QuantizeLinear", x, *codes), *codes)


def _weight(sheet: Sheet, layer: Any) -> str:
    weight = layer.weight.data.astype(np.int8, copy=False)
    return _dequantized(sheet, weight, layer.weight_scale.data, "weight")


def _bias(sheet: Sheet, layer: Any) -> list[str]:
    """Write the bias as integers on the scale of the sums, which hold it nearly exactly."""
    if layer.bias is None:
        return []
    scale = np.float32(layer.input_scale) * layer.weight_scale.data.astype(np.float32)
    whole = np.rint(layer.bias.data.astype(np.float64) / scale.astype(np.float64))
    if not (np.abs(whole) <= LARGEST).all():
        return [sheet.weight(layer.bias)]
    return [_dequantized(sheet, whole.astype(np.int32), scale, "bias")]


def _dequantized(sheet: Sheet, codes: Any, scales: Any, name: str) -> str:
    zeros = np.zeros(len(codes), codes.dtype)
    given = (
        sheet.constant(codes, name),
        sheet.number(scales, f"{name}_scale"),
        sheet.constant(zeros, f"{name}_zero_point"),
    )
    return sheet.op("DequantizeLinear", *given, axis=0)
