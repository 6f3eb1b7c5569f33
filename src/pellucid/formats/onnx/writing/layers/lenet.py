"""The layers that only the LeNet-5 of 1998 has."""

from __future__ import annotations

import numpy as np

from .....models.lenet_parts import (
    IN,
    OUT,
    A,
    RadialBasis,
    S,
    ScaleAndShift,
    ScaledTanh,
    TableConv2d,
)
from ..registry import writes
from ..sheet import Sheet, Value
from .shapes import reduced

__all__: list[str] = []


@writes(ScaledTanh)
def _scaled_tanh(sheet: Sheet, layer: ScaledTanh, x: Value) -> str:
    squashed = sheet.op("Tanh", sheet.op("Mul", x, sheet.number(S, "inside")))
    return sheet.op("Mul", squashed, sheet.number(A, "outside"))


@writes(ScaleAndShift)
def _scale_and_shift(sheet: Sheet, layer: ScaleAndShift, x: Value) -> str:
    w, b = (p.data[:, np.newaxis, np.newaxis] for p in (layer.weight, layer.bias))
    scaled = sheet.op("Mul", x, sheet.number(w, "weight"))
    return sheet.op("Add", scaled, sheet.number(b, "bias"))


@writes(TableConv2d)
def _table_conv(sheet: Sheet, layer: TableConv2d, x: Value) -> str:
    w = np.zeros((16, 6, 5, 5), dtype=sheet.dtype)
    w[OUT, IN] = layer.weight.data
    weights = sheet.number(w, "weight"), sheet.weight(layer.bias)
    return sheet.op("Conv", x, *weights, kernel_shape=[5, 5])


@writes(RadialBasis)
def _radial_basis(sheet: Sheet, layer: RadialBasis, x: Value) -> str:
    row = sheet.op("Reshape", x, sheet.integers([0, 1, layer.features], "row"))
    apart = sheet.op("Sub", row, sheet.weight(layer.codes))  # (N, classes, features)
    return sheet.op("Neg", reduced(sheet, "Sum", sheet.op("Mul", apart, apart), [2]))
