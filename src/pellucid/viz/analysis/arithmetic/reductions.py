"""Axes that are reduced to one number, and images that are resized."""

from __future__ import annotations

import numpy as np

from .... import nn
from ....ops.reductions import reduced_axes
from .boxes import Box, Span
from .explaining import Explained, Place, explains
from .pools import extreme, mean_of, sum_of

__all__: list[str] = []


def _box(layer: nn.Sum | nn.Mean | nn.Max | nn.Min, at: Place) -> Box:
    """Return the unit's place along the axes that are left, and all of those that are reduced."""
    axes = [axis - 1 for axis in reduced_axes(layer.axes, at.x.ndim + 1)]
    place = list(at.unit)
    if not layer.keepdims:
        for axis in axes:
            place.insert(axis, 0)
    return Box.at(place).across(axes, at.x.shape)


@explains(nn.Sum)
def _sum(layer: nn.Sum, at: Place) -> Explained:
    return Explained("y = Σ x", [sum_of(at, _box(layer, at))])


@explains(nn.Mean)
def _mean(layer: nn.Mean, at: Place) -> Explained:
    return Explained("y = Σ x / n", [mean_of(at, _box(layer, at))])


@explains(nn.Max)
def _max(layer: nn.Max, at: Place) -> Explained:
    return Explained("y = max x", [extreme(at, _box(layer, at))])


@explains(nn.Min)
def _min(layer: nn.Min, at: Place) -> Explained:
    return Explained("y = min x", [extreme(at, _box(layer, at), "min")])


@explains(nn.Resize, nn.Upsample)
def _resize(layer: nn.Resize | nn.Upsample, at: Place) -> Explained:
    """Explain it by the weights of the rows and the columns that the unit reads."""
    c, *cell = at.unit
    taps = [matrix[k] for matrix, k in zip(layer.matrices(at.x.shape), cell, strict=True)]
    used = [np.flatnonzero(weights) for weights in taps]
    spans = [Span(int(u[0]), 1, int(u[-1] - u[0]) + 1) if len(u) else Span(0) for u in used]
    rows, columns = (weights[span.cells()] for weights, span in zip(taps, spans, strict=True))
    products = at.products(Box((Span(c), *spans)), np.multiply.outer(rows, columns))
    symbols = {"c": c, "i": cell[0], "j": cell[1]}
    return Explained("y[c,i,j] = Σ R[i,h] · Q[j,w] · x[c,h,w]", [products], symbols)
