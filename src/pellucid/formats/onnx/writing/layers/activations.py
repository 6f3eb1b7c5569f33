"""Activations and other functions of each number."""

from __future__ import annotations

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__: list[str] = []


@writes(nn.ReLU)
def _relu(sheet: Sheet, layer: nn.ReLU, x: Value) -> str:
    return sheet.op("Relu", x)


@writes(nn.LeakyReLU)
def _leaky_relu(sheet: Sheet, layer: nn.LeakyReLU, x: Value) -> str:
    return sheet.op("LeakyRelu", x, alpha=float(layer.negative_slope))


@writes(nn.Sigmoid)
def _sigmoid(sheet: Sheet, layer: nn.Sigmoid, x: Value) -> str:
    return sheet.op("Sigmoid", x)


@writes(nn.Tanh)
def _tanh(sheet: Sheet, layer: nn.Tanh, x: Value) -> str:
    return sheet.op("Tanh", x)


@writes(nn.SiLU)
def _silu(sheet: Sheet, layer: nn.SiLU, x: Value) -> str:
    return sheet.op("Mul", x, sheet.op("Sigmoid", x))


@writes(nn.Softmax)
def _softmax(sheet: Sheet, layer: nn.Softmax, x: Value) -> str:
    rank = 1 + len(x.shape)
    return softmax(sheet, x, layer.dim % rank, rank)


def softmax(sheet: Sheet, x: Value | str, axis: int, rank: int) -> str:
    """Write a softmax along ``axis`` of a value with ``rank`` axes.

    Before opset 13 the operator flattens all axes from ``axis`` on: it is applied to the last one.
    """
    if sheet.opset >= 13 or axis == rank - 1:
        return sheet.op("Softmax", x, axis=axis)
    order = [a for a in range(rank) if a != axis] + [axis]
    last = sheet.op("Softmax", sheet.op("Transpose", x, perm=order), axis=rank - 1)
    return sheet.op("Transpose", last, perm=[order.index(a) for a in range(rank)])


@writes(nn.Temperature)
def _temperature(sheet: Sheet, layer: nn.Temperature, x: Value) -> str:
    return sheet.op("Div", x, sheet.number(layer.temperature, "temperature"))


@writes(nn.Dropout)
def _dropout(sheet: Sheet, layer: nn.Dropout, x: Value) -> str:
    if layer.variant == "inverted":
        return x.name  # in evaluation the identity
    return sheet.op("Mul", x, sheet.number(1 - layer.p, "kept"))
