"""Sums of products: convolutions, and layers that connect every number with every output."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import nn
from ....shapes import Windows
from .boxes import Box, Span, window_box
from .explaining import Explained, Place, explains
from .parts import Im2col

__all__: list[str] = []

SHARED = "w[o,c,u,v] · x[c, s·i + d·u − p, s·j + d·v − p]"


def window_symbols(windows: Windows) -> dict[str, Any]:
    """Return stride, dilation and padding: one number, or that of rows and that of columns."""
    (top, _), (left, _) = windows.padding
    pairs = {"s": windows.stride, "d": windows.dilation, "p": (top, left)}
    return {name: int(a) if a == b else [int(a), int(b)] for name, (a, b) in pairs.items()}


def equation(layer: nn.Layer, bias: str, products: str) -> str:
    """Return the sum of the products, with the bias if the layer has one."""
    begin = f"b[{bias}] + " if getattr(layer, "bias", None) is not None else ""
    return f"y[{'o,i,j' if 'i' in products else 'o'}] = {begin}Σ {products}"


@explains(nn.Conv2d)
def _conv(layer: nn.Conv2d, at: Place) -> Explained:
    o, i, j = at.unit
    windows, weight = layer.windows(at.x.shape), layer.weight.data
    filters, depth = layer.out_channels // layer.groups, weight.shape[1]
    box = window_box(windows, Span(o // filters * depth, 1, depth), (i, j))
    products = at.products(
        box,
        weight[o],
        weight=at.key("weight"),
        weight_index=(o,),
        im2col=im2col(windows, (i, j), box.size, filters),
    )
    symbols = {"o": o, "i": i, "j": j, **window_symbols(windows)}
    return Explained(equation(layer, "o", SHARED), at.with_bias([o], products), symbols)


@explains(nn.LocallyConnected2d)
def _locally_connected(layer: nn.LocallyConnected2d, at: Place) -> Explained:
    o, i, j = at.unit
    windows = layer.windows(at.x.shape)
    box = window_box(windows, Span(0, 1, layer.in_channels), (i, j))
    products = at.products(
        box,
        layer.weight.data[i, j, o],
        weight=at.key("weight"),
        weight_index=(i, j, o),
        im2col=im2col(windows, (i, j), box.size, layer.out_channels),
    )
    text = equation(layer, "o,i,j", SHARED.replace("w[o", "w[i,j,o"))
    symbols = {"o": o, "i": i, "j": j, **window_symbols(windows)}
    return Explained(text, at.with_bias(at.unit, products), symbols)


@explains(nn.ConvTranspose2d)
def _conv_transpose(layer: nn.ConvTranspose2d, at: Place) -> Explained:
    """Collect what the cells of the input scatter to this one."""
    o, i, j = at.unit
    windows, weight = layer.windows(at.x.shape), layer.weight.data
    depth, filters = layer.in_channels // layer.groups, weight.shape[1]
    channels = Span(o // filters * depth, 1, depth)
    rows, us = scattering(windows, 0, i)
    columns, vs = scattering(windows, 1, j)
    products = at.products(
        Box((channels, rows, columns)),
        weight[np.ix_(channels.cells(), [o % filters], us.cells(), vs.cells())],
        weight=at.key("weight"),
        weight_index=(
            (channels.first, 1),
            o % filters,
            (us.first, us.step),
            (vs.first, vs.step),
        ),
    )
    text = "w[c,o,u,v] · x[c,h,k]  where s·h + d·u − p = i, s·k + d·v − p = j"
    symbols = {"o": o, "i": i, "j": j, **window_symbols(windows)}
    return Explained(equation(layer, "o", text), at.with_bias([o], products), symbols)


def scattering(windows: Windows, axis: int, place: int) -> tuple[Span, Span]:
    """Return the cells that a transposed convolution scatters to ``place``, and with what weights.

    ``windows`` are those of the convolution that it transposes. Each cell comes with one row (or
    column) of the filter; of later cells the row is an earlier one.
    """
    stride, dilation = windows.stride[axis], windows.dilation[axis]
    start = place + windows.padding[axis][0]
    found = []
    for u in reversed(range(windows.window[axis])):
        cell, rest = divmod(start - dilation * u, stride)
        if not rest and 0 <= cell < windows.output[axis]:
            found.append((cell, u))
    if not found:
        return Span(0, 1, 0), Span(0, 1, 0)
    step = found[1][0] - found[0][0] if len(found) > 1 else 1
    back = found[1][1] - found[0][1] if len(found) > 1 else 1
    (cell, u), count = found[0], len(found)
    return Span(cell, step, count), Span(u, back, count)


@explains(nn.Linear)
def _linear(layer: nn.Linear, at: Place) -> Explained:
    *row, o = at.unit
    lead, last = at.x.shape[:-1], at.x.ndim - 1
    products = at.products(
        Box.at((*row, 0)).across([last], at.x.shape),
        layer.weight.data[o],
        weight=at.key("weight"),
        weight_index=(o,),
        im2col=Im2col(
            int(np.ravel_multi_index(tuple(row), lead)) if row else 0,
            (math.prod(lead), layer.in_features),
            (layer.in_features, layer.out_features),
        ),
    )
    text = equation(layer, "o", "w[o,k] · x[k]")
    return Explained(text, at.with_bias([o], products), {"o": o})


@explains(nn.ChannelLinear)
def _channel_linear(layer: nn.ChannelLinear, at: Place) -> Explained:
    o, i, j = at.unit
    _, h, w = at.x.shape
    products = at.products(
        Box.at((0, i, j)).across([0], at.x.shape),
        layer.weight.data[o],
        weight=at.key("weight"),
        weight_index=(o,),
        im2col=Im2col(
            i * w + j, (h * w, layer.in_features), (layer.in_features, layer.out_features)
        ),
    )
    text = equation(layer, "o", "w[o,c] · x[c,i,j]")
    return Explained(text, at.with_bias([o], products), {"o": o, "i": i, "j": j})


def im2col(windows: Windows, cell: tuple[int, int], columns: int, outputs: int) -> Im2col:
    """Return the row of the window at an output cell in the matrix of one image."""
    row = cell[0] * windows.output[1] + cell[1]
    return Im2col(row, (windows.count, columns), (columns, outputs))
