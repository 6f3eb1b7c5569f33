"""Layers with several inputs."""

from __future__ import annotations

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__: list[str] = []


@writes(nn.Add)
def _add(sheet: Sheet, layer: nn.Add, *inputs: Value) -> str:
    return sheet.op("Add" if len(inputs) == 2 else "Sum", *inputs)


@writes(nn.Concat)
def _concat(sheet: Sheet, layer: nn.Concat, *inputs: Value) -> str:
    return sheet.op("Concat", *inputs, axis=1)
