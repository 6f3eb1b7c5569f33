"""Padding, by a number or by cells of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..... import nn, ops
from ..registry import writes
from ..sheet import Sheet, Value
from .shapes import gathered, sliced

__all__ = ["pad", "padded"]

WRAP = 19  # the first opset whose Pad has this mode


@writes(nn.Pad2d)
def _pad(sheet: Sheet, layer: nn.Pad2d, x: Value) -> str:
    top, bottom, left, right = layer.sides
    pads = [top, left, bottom, right]
    if layer.mode == "constant":
        return padded(sheet, x, pads, layer.value)
    image = x.example[1:]
    far = min(pads) < 0 or any(side >= size for side, size in zip(pads, image * 2, strict=True))
    if not far and (layer.mode != "wrap" or sheet.opset >= WRAP):
        return pad(sheet, x, [0, 0, top, left], [0, 0, bottom, right], mode=layer.mode)
    if not far and not x.sized:
        sheet.require_opset(WRAP, "padding in the mode 'wrap'")
    height, width = x.require_size(f"such padding in the mode {layer.mode!r}")[1:]
    # Which row each one of the output shows: the rows' numbers, padded.
    row_numbers = np.arange(float(height)).reshape(1, 1, height, 1)
    column_numbers = np.arange(float(width)).reshape(1, 1, 1, width)
    rows = ops.pad2d(row_numbers, (top, bottom, 0, 0), layer.mode)
    columns = ops.pad2d(column_numbers, (0, 0, left, right), layer.mode)
    return gathered(sheet, gathered(sheet, x, 2, rows.ravel()), 3, columns.ravel())


@writes(nn.ZeroPadShortcut)
def _zero_pad_shortcut(sheet: Sheet, layer: nn.ZeroPadShortcut, x: Value) -> str:
    y: Value | str = x
    if layer.stride != (1, 1):
        steps = [int(step) for step in layer.stride]
        if sheet.opset < 10:  # no slices with steps: a pooling of one cell takes the same ones
            y = sheet.op("MaxPool", y, kernel_shape=[1, 1], strides=steps)
        else:
            y = sliced(sheet, y, [2, 3], [0, 0], [None, None], steps)
    more = layer.out_channels - layer.in_channels
    if more:
        return pad(sheet, y, [0, 0, 0, 0], [0, more, 0, 0])
    return y.name if isinstance(y, Value) else y


def padded(sheet: Sheet, x: Value | str, pads: Sequence[int], value: float) -> str:
    """Pad images by (top, left, bottom, right) cells of ``value``."""
    top, left, bottom, right = pads
    return pad(sheet, x, [0, 0, top, left], [0, 0, bottom, right], value)


def pad(
    sheet: Sheet,
    x: Value | str,
    before: Sequence[int],
    after: Sequence[int],
    value: float = 0.0,
    mode: str = "constant",
) -> str:
    """Pad every axis; before opset 11 the numbers were attributes."""
    sides = [*before, *after]
    if sheet.opset < 11:
        return sheet.op("Pad", x, mode=mode, pads=sides, value=float(value))
    constant = [sheet.number(value, "value")] if mode == "constant" else []
    return sheet.op("Pad", x, sheet.integers(sides, "pads"), *constant, mode=mode)
