"""Layers that move numbers, or reduce axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..... import nn
from .....typing import Array
from ..registry import writes
from ..sheet import Sheet, Value

__all__ = ["gathered", "reduced", "sliced"]

FAR = 2**31 - 1  # beyond the end of any axis
REDUCED = {nn.Sum: "Sum", nn.Mean: "Mean", nn.Max: "Max", nn.Min: "Min"}


@writes(nn.Reshape)
def _reshape(sheet: Sheet, layer: nn.Reshape, x: Value) -> str:
    return sheet.op("Reshape", x, sheet.integers([0, *layer.shape]))


@writes(nn.Permute)
def _permute(sheet: Sheet, layer: nn.Permute, x: Value) -> str:
    return sheet.op("Transpose", x, perm=list(layer.dims))


@writes(nn.Slice)
def _slice(sheet: Sheet, layer: nn.Slice, x: Value) -> str:
    axis = layer.dim % (1 + len(x.shape))
    return sliced(sheet, x, [axis], [layer.start], [layer.stop], [layer.step or 1])


@writes(*REDUCED)
def _reduce(sheet: Sheet, layer: nn.Sum | nn.Mean | nn.Max | nn.Min, x: Value) -> str:
    how = next(REDUCED[kind] for kind in type(layer).__mro__ if kind in REDUCED)
    axes = sorted(axis % (1 + len(x.shape)) for axis in layer.axes)
    return reduced(sheet, how, x, axes, keepdims=layer.keepdims)


@writes(nn.PixelShuffle)
def _pixel_shuffle(sheet: Sheet, layer: nn.PixelShuffle, x: Value) -> str:
    """Write DepthToSpace, which has PyTorch's order of the channels from opset 11 on."""
    r = int(layer.upscale_factor)
    if sheet.opset >= 11:
        return sheet.op("DepthToSpace", x, blocksize=r, mode=layer.mode)
    read: Value | str = x
    if layer.mode == "CRD":
        order = np.arange(x.example[0]).reshape(-1, r * r).T
        read = gathered(sheet, x, 1, order.ravel())
    return sheet.op("DepthToSpace", read, blocksize=r)


@writes(nn.PixelUnshuffle)
def _pixel_unshuffle(sheet: Sheet, layer: nn.PixelUnshuffle, x: Value) -> str:
    """Write SpaceToDepth, whose channels are sorted as PyTorch's are."""
    r = int(layer.downscale_factor)
    y = sheet.op("SpaceToDepth", x, blocksize=r)
    if layer.mode == "DCR":
        return y
    order = np.arange(x.example[0] * r * r).reshape(r * r, -1).T
    return gathered(sheet, y, 1, order.ravel())


# Operators whose versions differ ------------------------------------------------------------------


def sliced(
    sheet: Sheet,
    x: Value | str,
    axes: Sequence[int],
    starts: Sequence[int | None],
    stops: Sequence[int | None],
    steps: Sequence[int],
) -> str:
    """Take parts of axes as Python does; before opset 10 without steps, by attributes."""
    first = [
        (0 if step > 0 else FAR) if k is None else int(k)
        for k, step in zip(starts, steps, strict=True)
    ]
    end = [
        (FAR if step > 0 else -FAR) if k is None else int(k)
        for k, step in zip(stops, steps, strict=True)
    ]
    if sheet.opset < 10:
        if any(step != 1 for step in steps):
            sheet.require_opset(10, "a slice with a step")
        return sheet.op("Slice", x, axes=list(axes), starts=first, ends=end)
    numbers = (("starts", first), ("ends", end), ("axes", axes), ("steps", steps))
    return sheet.op("Slice", x, *(sheet.integers(values, name) for name, values in numbers))


def reduced(
    sheet: Sheet, how: str, x: Value | str, axes: Sequence[int], *, keepdims: bool = False
) -> str:
    """Write ReduceSum, ReduceMean, ...; the axes are an input from opset 13 on, or from 18."""
    if sheet.opset < (13 if how == "Sum" else 18):
        return sheet.op(f"Reduce{how}", x, axes=list(axes), keepdims=int(keepdims))
    return sheet.op(f"Reduce{how}", x, sheet.integers(axes, "axes"), keepdims=int(keepdims))


def gathered(sheet: Sheet, x: Value | str, axis: int, places: Array) -> str:
    """Take the cells at ``places`` along an axis."""
    return sheet.op("Gather", x, sheet.integers([int(k) for k in places], "places"), axis=axis)
