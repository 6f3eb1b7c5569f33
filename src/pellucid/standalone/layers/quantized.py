"""Layers in 8-bit integers."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...typing import Shape
from ..calls import Call, becomes
from .windows import moves

__all__: list[str] = []


@becomes(nn.QuantizedConv2d)
def _conv(layer: nn.QuantizedConv2d, shape: Shape) -> Call:
    options = {**_codes(layer), **moves(layer.windows(shape)), "groups": layer.groups}
    return Call("quantized_conv2d", _arrays(layer), options)


@becomes(nn.QuantizedLinear)
def _linear(layer: nn.QuantizedLinear, shape: Shape) -> Call:
    return Call("quantized_linear", _arrays(layer), _codes(layer))


def _arrays(layer: nn.QuantizedConv2d | nn.QuantizedLinear) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in ("weight", "weight_scale", "bias")}


def _codes(layer: nn.QuantizedConv2d | nn.QuantizedLinear) -> dict[str, Any]:
    return {"scale": layer.input_scale, "zero_point": layer.zero_point}
