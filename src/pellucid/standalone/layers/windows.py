"""Layers with windows, and with products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import nn, ops
from ...ops.pooling import cells_that_count
from ...shapes import Windows
from ...typing import Shape
from ..calls import Call, becomes

__all__ = ["moves"]


def moves(windows: Windows) -> dict[str, Any]:
    """Return the options of a function whose windows move like these."""
    (top, bottom), (left, right) = windows.padding
    return {
        "stride": _two(windows.stride),
        "padding": (int(top), int(bottom), int(left), int(right)),
        "dilation": _two(windows.dilation),
    }


def _pool_moves(windows: Windows) -> dict[str, Any]:
    return {"size": _two(windows.window), **moves(windows)}


def _two(pair: Sequence[int]) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])


@becomes(nn.Conv2d)
def _conv(layer: nn.Conv2d, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return Call("conv2d", arrays, {**moves(layer.windows(shape)), "groups": layer.groups})


@becomes(nn.ConvTranspose2d)
def _conv_transpose(layer: nn.ConvTranspose2d, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    size = _two(layer.output_shape(shape)[1:])
    how = moves(layer.windows(shape))
    return Call("conv_transpose2d", arrays, {"size": size, **how, "groups": layer.groups})


@becomes(nn.LocallyConnected2d)
def _locally_connected(layer: nn.LocallyConnected2d, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return Call("locally_connected2d", arrays, moves(layer.windows(shape)))


@becomes(nn.Linear)
def _linear(layer: nn.Linear, shape: Shape) -> Call:
    return Call("linear", {"weight": layer.weight, "bias": layer.bias})


@becomes(nn.ChannelLinear)
def _channel_linear(layer: nn.ChannelLinear, shape: Shape) -> Call:
    return Call("channel_linear", {"weight": layer.weight, "bias": layer.bias})


@becomes(nn.MaxPool2d)
def _max_pool(layer: nn.MaxPool2d, shape: Shape) -> Call:
    return Call("max_pool2d", options=_pool_moves(layer.windows(shape)))


@becomes(nn.AvgPool2d)
def _avg_pool(layer: nn.AvgPool2d, shape: Shape) -> Call:
    """Translate; if not all windows have the same number of cells, with the number of each."""
    windows = layer.windows(shape)
    rows, columns = (
        cells_that_count(windows, axis, include_pad=layer.count_include_pad) for axis in (0, 1)
    )
    counts = np.multiply.outer(rows, columns).astype(np.float32)
    alike = bool((counts == math.prod(windows.window)).all())
    return Call("avg_pool2d", {"counts": None if alike else counts}, _pool_moves(windows))


@becomes(nn.LpPool2d)
def _lp_pool(layer: nn.LpPool2d, shape: Shape) -> Call:
    return Call("lp_pool2d", options={"p": layer.norm_type, **_pool_moves(layer.windows(shape))})


@becomes(nn.GlobalAvgPool2d)
def _global_avg_pool(layer: nn.GlobalAvgPool2d, shape: Shape) -> Call:
    return Call("mean_over", options={"axes": (2, 3)})


@becomes(nn.GlobalMaxPool2d)
def _global_max_pool(layer: nn.GlobalMaxPool2d, shape: Shape) -> Call:
    return Call("max_over", options={"axes": (2, 3)})


@becomes(nn.GlobalLpPool2d)
def _global_lp_pool(layer: nn.GlobalLpPool2d, shape: Shape) -> Call:
    return Call("lp_over", options={"p": layer.norm_type})


@becomes(nn.AdaptiveAvgPool2d)
def _adaptive_avg_pool(layer: nn.AdaptiveAvgPool2d, shape: Shape) -> Call:
    size = layer.output_shape(shape)[1:]
    if size == (1, 1):
        return Call("mean_over", options={"axes": (2, 3)})
    windows = _alike(shape[1:], size)
    if windows is not None:
        return Call("avg_pool2d", options=windows)
    rows, columns = (ops.averaging_matrix(n, out) for n, out in zip(shape[1:], size, strict=True))
    return Call("resample", {"rows": rows, "columns": columns})


@becomes(nn.AdaptiveMaxPool2d)
def _adaptive_max_pool(layer: nn.AdaptiveMaxPool2d, shape: Shape) -> Call:
    size = layer.output_shape(shape)[1:]
    windows = _alike(shape[1:], size)
    if windows is not None:
        return Call("max_pool2d", options=windows)
    rows, columns = (
        tuple((int(a), int(b)) for a, b in ops.bins(n, out))
        for n, out in zip(shape[1:], size, strict=True)
    )
    return Call("adaptive_max_pool2d", options={"rows": rows, "columns": columns})


def _alike(image: Sequence[int], size: Sequence[int]) -> dict[str, Any] | None:
    """Return the window and stride of bins that are all alike, or None."""
    if any(n % out for n, out in zip(image, size, strict=True)):
        return None
    window = image[0] // size[0], image[1] // size[1]
    return {"size": window, "stride": window}


@becomes(nn.Resize, nn.Upsample)
def _resize(layer: nn.Resize | nn.Upsample, shape: Shape) -> Call:
    rows, columns = layer.matrices(shape)
    return Call("resample", {"rows": rows, "columns": columns})
