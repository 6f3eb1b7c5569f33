"""Layers with several inputs, and with one array for all images."""

from __future__ import annotations

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__: list[str] = []


@writes(nn.Add)
def _add(sheet: Sheet, layer: nn.Add, *inputs: Value) -> str:
    return _of_many(sheet, "Add" if len(inputs) == 2 else "Sum", inputs)


@writes(nn.Concat)
def _concat(sheet: Sheet, layer: nn.Concat, *inputs: Value) -> str:
    axis = layer.axis(inputs[0].example)
    assert axis is not None
    return sheet.op("Concat", *inputs, axis=1 + axis)


@writes(nn.Multiply)
def _multiply(sheet: Sheet, layer: nn.Multiply, a: Value, b: Value) -> str:
    return sheet.op("Mul", a, b)


@writes(nn.Subtract)
def _subtract(sheet: Sheet, layer: nn.Subtract, a: Value, b: Value) -> str:
    return sheet.op("Sub", a, b)


@writes(nn.Divide)
def _divide(sheet: Sheet, layer: nn.Divide, a: Value, b: Value) -> str:
    return sheet.op("Div", a, b)


@writes(nn.MatMul)
def _matmul(sheet: Sheet, layer: nn.MatMul, a: Value, b: Value) -> str:
    return sheet.op("MatMul", a, b)


@writes(nn.Maximum)
def _maximum(sheet: Sheet, layer: nn.Maximum, *inputs: Value) -> str:
    return _of_many(sheet, "Max", inputs)


@writes(nn.Minimum)
def _minimum(sheet: Sheet, layer: nn.Minimum, *inputs: Value) -> str:
    return _of_many(sheet, "Min", inputs)


def _of_many(sheet: Sheet, op: str, inputs: tuple[Value, ...]) -> str:
    """Write an operator of any number of inputs, which broadcast from opset 8 on; Add always."""
    if op != "Add" and len({value.example for value in inputs}) > 1:
        sheet.require_opset(8, "broadcasting")
    return sheet.op(op, *inputs)


@writes(nn.Scale)
def _scale(sheet: Sheet, layer: nn.Scale, x: Value) -> str:
    return sheet.op("Mul", x, sheet.weight(layer.weight))


@writes(nn.Shift)
def _shift(sheet: Sheet, layer: nn.Shift, x: Value) -> str:
    return sheet.op("Add", x, sheet.weight(layer.bias))
