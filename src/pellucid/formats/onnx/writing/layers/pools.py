"""Pooling: of windows, and of whole images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..... import nn
from .....ops.pooling import cells_that_count
from ..registry import writes
from ..sheet import Sheet, Value
from .padding import padded
from .shapes import reduced
from .windows import both, same, sliding

__all__: list[str] = []


@writes(nn.MaxPool2d)
def _max_pool(sheet: Sheet, layer: nn.MaxPool2d, x: Value) -> str:
    moves = _moves(sheet, layer, x)
    if layer.dilation == (1, 1):
        del moves["dilations"]
    else:
        sheet.require_opset(10, "a dilation")
    return sheet.op("MaxPool", _padded(sheet, x, moves, float(np.finfo(sheet.dtype).min)), **moves)


@writes(nn.AvgPool2d)
def _avg_pool(sheet: Sheet, layer: nn.AvgPool2d, x: Value) -> str:
    """Write AveragePool; where it would count other cells, the mean is multiplied accordingly."""
    moves = _moves(sheet, layer, x)
    _without_dilation(sheet, layer, moves, 19)
    include = layer.count_include_pad
    over = layer.windows(x.example).overhang if x.sized else (0, 0)
    beyond = include and any(over)  # which does not count, unlike other padding
    if not _is_wide(moves) and not beyond:
        whole = int(include and "ceil_mode" not in moves)
        return sheet.op("AveragePool", x, count_include_pad=whole, **moves)
    read = padded(sheet, x, moves["pads"], 0.0)
    mean = sheet.op("AveragePool", read, **{**moves, "pads": [0, 0, 0, 0]})
    if include and not beyond:
        return mean
    windows = layer.windows(x.require_size("the number of cells in a mean"))
    rows, columns = (cells_that_count(windows, axis, include_pad=include) for axis in (0, 1))
    share = math.prod(layer.kernel_size) / np.multiply.outer(rows, columns)
    return sheet.op("Mul", mean, sheet.number(share, "share"))


@writes(nn.LpPool2d)
def _lp_pool(sheet: Sheet, layer: nn.LpPool2d, x: Value) -> str:
    moves = _moves(sheet, layer, x)
    p = layer.norm_type
    if int(p) == p:
        if "ceil_mode" in moves:
            sheet.require_opset(18, "misfit='pad' for images of any size")
        _without_dilation(sheet, layer, moves, 18)
        return sheet.op("LpPool", _padded(sheet, x, moves, 0.0), p=int(p), **moves)
    if "ceil_mode" in moves:
        x.require_size("the padding of misfit='pad'")
    _without_dilation(sheet, layer, moves, 19)
    powers = sheet.op("Pow", sheet.op("Abs", x), sheet.number(p, "p"))
    read = _padded(sheet, powers, moves, 0.0)
    mean = sheet.op("AveragePool", read, count_include_pad=1, **moves)
    count = layer.kernel_size[0] * layer.kernel_size[1]
    total = sheet.op("Mul", mean, sheet.number(count, "count"))
    return sheet.op("Pow", total, sheet.number(1 / p, "root"))


@writes(nn.GlobalAvgPool2d)
def _global_avg_pool(sheet: Sheet, layer: nn.GlobalAvgPool2d, x: Value) -> str:
    return sheet.op("GlobalAveragePool", x)


@writes(nn.GlobalMaxPool2d)
def _global_max_pool(sheet: Sheet, layer: nn.GlobalMaxPool2d, x: Value) -> str:
    return sheet.op("GlobalMaxPool", x)


@writes(nn.GlobalLpPool2d)
def _global_lp_pool(sheet: Sheet, layer: nn.GlobalLpPool2d, x: Value) -> str:
    p = layer.norm_type
    if int(p) == p and sheet.opset < 22:  # onnxruntime has no newer one
        return sheet.op("GlobalLpPool", x, p=int(p))
    powers = sheet.op("Pow", sheet.op("Abs", x), sheet.number(p, "p"))
    total = reduced(sheet, "Sum", powers, (2, 3), keepdims=True)
    return sheet.op("Pow", total, sheet.number(1 / p, "root"))


def _moves(sheet: Sheet, layer: Any, x: Value) -> dict[str, Any]:
    """Return the attributes of a pooling; what depends on an unknown size by ``ceil_mode``."""
    if x.sized or layer.misfit != "pad" or same(layer):
        return sliding(sheet, layer, x)
    sheet.require_opset(10, "misfit='pad' for images of any size")
    around = layer.windows(x.example)
    (top, bottom), (left, right) = around.padding
    pads = [top, left, bottom - around.overhang[0], right - around.overhang[1]]
    if any(pads) and getattr(layer, "count_include_pad", False):
        x.require_size("the mean over padding of misfit='pad'")
    return {
        "kernel_shape": both(layer.kernel_size),
        "strides": both(layer.stride),
        "dilations": both(layer.dilation),
        "pads": pads,
        "ceil_mode": 1,
    }


def _is_wide(moves: dict[str, Any]) -> bool:
    """Return whether the padding is a window or more: runtimes refuse to pool with so much."""
    window = moves["kernel_shape"] * 2
    return any(p >= f for p, f in zip(moves.get("pads", ()), window, strict=False))


def _padded(sheet: Sheet, x: Value | str, moves: dict[str, Any], value: float) -> Value | str:
    """Return ``x`` with its padding, taken out of ``moves``, if that is a window or more."""
    if not _is_wide(moves):
        return x
    pads, moves["pads"] = moves["pads"], [0, 0, 0, 0]
    return padded(sheet, x, pads, value)


def _without_dilation(sheet: Sheet, layer: Any, moves: dict[str, Any], least: int) -> None:
    """Remove the dilation of 1, which is implied; refuse another one below the opset ``least``."""
    if tuple(layer.dilation) == (1, 1):
        del moves["dilations"]
    else:
        sheet.require_opset(least, "a dilation")
