"""Activations made of straight pieces, where the versions of the operators differ."""

from __future__ import annotations

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__: list[str] = []


@writes(nn.LeakyReLU)
def _leaky_relu(sheet: Sheet, layer: nn.LeakyReLU, x: Value) -> str:
    return sheet.op("LeakyRelu", x, alpha=float(layer.negative_slope))


@writes(nn.PReLU)
def _prelu(sheet: Sheet, layer: nn.PReLU, x: Value) -> str:
    slopes = layer.weight.data
    if len(slopes) == 1 or len(x.shape) == 1:
        return sheet.op("PRelu", x, sheet.weight(layer.weight))
    by_channel = slopes.reshape(-1, *[1] * (len(x.shape) - 1))
    return sheet.op("PRelu", x, sheet.number(by_channel, "weight"))


@writes(nn.Clip, nn.ReLU6)
def _clip(sheet: Sheet, layer: nn.Clip | nn.ReLU6, x: Value) -> str:
    """Write Clip, whose bounds are inputs from opset 11 on, and were attributes."""
    low, high = (None if bound is None else float(bound) for bound in (layer.low, layer.high))
    if low is None and high is None:
        return x.name
    if sheet.opset < 11:
        return sheet.op("Clip", x, min=low, max=high)
    bounds = ["" if low is None else sheet.number(low, "low")]
    return sheet.op("Clip", x, *bounds, *([] if high is None else [sheet.number(high, "high")]))


@writes(nn.Hardsigmoid)
def _hardsigmoid(sheet: Sheet, layer: nn.Hardsigmoid, x: Value) -> str:
    return sheet.op("HardSigmoid", x, alpha=float(layer.alpha), beta=float(layer.beta))


@writes(nn.Hardswish)
def _hardswish(sheet: Sheet, layer: nn.Hardswish, x: Value) -> str:
    if sheet.opset >= 14:
        return sheet.op("HardSwish", x)
    return sheet.op("Mul", x, sheet.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


@writes(nn.ThresholdedReLU)
def _thresholded_relu(sheet: Sheet, layer: nn.ThresholdedReLU, x: Value) -> str:
    if sheet.opset >= 10:
        return sheet.op("ThresholdedRelu", x, alpha=float(layer.theta))
    above = sheet.op("Greater", x, sheet.number(layer.theta, "theta"))
    return sheet.op("Mul", x, sheet.op("Cast", above, to=sheet.dtype))
