"""Padding, slices and other changes of shape."""

from __future__ import annotations

from collections.abc import Sequence

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__ = ["pad", "padded", "reduced", "sliced"]


@writes(nn.ZeroPadShortcut)
def _zero_pad_shortcut(sheet: Sheet, layer: nn.ZeroPadShortcut, x: Value) -> str:
    y: Value | str = x
    if layer.stride != (1, 1):
        y = sliced(sheet, y, (2, 3), layer.stride)
    more = layer.out_channels - layer.in_channels
    return pad(sheet, y, [0, 0, 0, 0], [0, more, 0, 0], 0.0) if more else _name(y)


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


def sliced(sheet: Sheet, x: Value | str, axes: Sequence[int], steps: Sequence[int]) -> str:
    """Take every n-th row and column, from the first; before opset 10 by a pooling of one cell."""
    if sheet.opset < 10:
        return sheet.op("MaxPool", x, kernel_shape=[1, 1], strides=[int(s) for s in steps])
    far = [2**31 - 1] * len(axes)
    return sheet.op(
        "Slice",
        x,
        sheet.integers([0] * len(axes), "starts"),
        sheet.integers(far, "ends"),
        sheet.integers(axes, "axes"),
        sheet.integers(steps, "steps"),
    )


def reduced(
    sheet: Sheet, how: str, x: Value | str, axes: Sequence[int], *, keepdims: bool = False
) -> str:
    """Write ReduceSum, ReduceMean, ...; the axes are an input from opset 13 on, or from 18."""
    if sheet.opset < (13 if how == "Sum" else 18):
        return sheet.op(f"Reduce{how}", x, axes=list(axes), keepdims=int(keepdims))
    return sheet.op(f"Reduce{how}", x, sheet.integers(axes, "axes"), keepdims=int(keepdims))


def _name(x: Value | str) -> str:
    return x.name if isinstance(x, Value) else x
