"""Pooling of every kind: the cells of a window, and the number that they are reduced to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .... import nn, ops
from ....ops.pooling import cells_that_count
from ....typing import Array
from .boxes import Box, Span, window_box
from .connected import window_symbols
from .explaining import Explained, Place, explains
from .parts import Formula, Number, Reduction

__all__ = ["extreme", "mean_of", "sum_of"]

WINDOW = "x[c, s·i + d·u − p, s·j + d·v − p]"


def extreme(at: Place, box: Box, name: str = "max", symbol: str = "y") -> Reduction:
    """Return the largest ("max") or smallest number in a box, the first of equals; never padding.

    NaN counts as the one that is looked for, so that it is seen.
    """
    lowest = -math.inf if name == "max" else math.inf
    numbers, padded = box.numbers(at.x, lowest), box.padded(at.x.shape)
    place = int(numbers.argmax() if name == "max" else numbers.argmin())
    counted = numbers.size
    if padded is not None:
        real = np.broadcast_to(~padded, numbers.shape)
        counted = int(real.sum())
        if not real.flat[place]:  # all are infinite
            place = int(real.argmax())
    winner = tuple(int(k) for k in np.unravel_index(place, numbers.shape))
    return Reduction(
        name=name,
        input=at.reads[0],
        box=box,
        numbers=numbers,
        padded=padded,
        winner=winner,
        counted=counted,
        symbol=symbol,
        result=float(numbers[winner]),
    )


def sum_of(
    at: Place,
    box: Box,
    name: str = "sum",
    text: str = "",
    each: Array | None = None,
    symbol: str = "y",
) -> Reduction:
    """Return the sum over a box: of its numbers, or of ``each``, what ``text`` makes of them."""
    numbers = box.numbers(at.x)
    terms = numbers if each is None else np.asarray(each, dtype=np.float32)
    return Reduction(
        name=name,
        input=at.reads[0],
        box=box,
        numbers=numbers,
        padded=box.padded(at.x.shape),
        counted=numbers.size,
        text=text,
        each=None if each is None else terms,
        symbol=symbol,
        result=total(terms),
    )


def mean_of(
    at: Place,
    box: Box,
    counted: int | None = None,
    text: str = "",
    each: Array | None = None,
    name: str = "mean",
    symbol: str = "y",
) -> Reduction:
    """Return the mean over a box, as `sum_of`, divided by ``counted``: by default its size."""
    added = sum_of(at, box, name, text, each, symbol)
    count = added.counted if counted is None else counted
    with np.errstate(all="ignore"):
        result = float(np.float64(added.result) / count)
    numbers = [Number(symbol="Σ", value=added.result), Number(symbol="n", value=float(count))]
    step = Formula(text=f"{symbol} = Σ / n", numbers=numbers, name=symbol, result=result)
    return replace(added, counted=count, steps=[step], result=result)


def total(numbers: Array) -> float:
    """Return the sum, accumulated in float64."""
    with np.errstate(all="ignore"):
        return float(numbers.sum(dtype=np.float64))


def norm_of(at: Place, box: Box, p: float) -> Reduction:
    """Return the Lp norm over a box."""
    z = box.numbers(at.x).astype(np.float64)
    with np.errstate(all="ignore"):
        each = np.abs(z) ** p
        powers = total(each.astype(np.float32))
        result = float(np.float64(powers) ** (1 / p))
    numbers = [Number(symbol="Σ", value=powers), Number(symbol="p", value=float(p))]
    root = Formula(text="y = Σ^(1 / p)", numbers=numbers, result=result)
    return replace(sum_of(at, box, "Lp", "|z|^p", each), steps=[root], result=result)


# A window that slides -----------------------------------------------------------------------------


def _window(layer: nn.MaxPool2d | nn.AvgPool2d | nn.LpPool2d, at: Place) -> Box:
    c, i, j = at.unit
    return window_box(layer.windows(at.x.shape), Span(c), (i, j))


def _symbols(layer: nn.MaxPool2d | nn.AvgPool2d | nn.LpPool2d, at: Place) -> dict[str, object]:
    c, i, j = at.unit
    return {"c": c, "i": i, "j": j, **window_symbols(layer.windows(at.x.shape))}


@explains(nn.MaxPool2d)
def _max_pool(layer: nn.MaxPool2d, at: Place) -> Explained:
    part = extreme(at, _window(layer, at))
    return Explained(f"y[c,i,j] = max {WINDOW}", [part], _symbols(layer, at))


@explains(nn.AvgPool2d)
def _avg_pool(layer: nn.AvgPool2d, at: Place) -> Explained:
    windows = layer.windows(at.x.shape)
    rows, columns = (
        cells_that_count(windows, axis, include_pad=layer.count_include_pad) for axis in (0, 1)
    )
    counted = int(rows[at.unit[1]] * columns[at.unit[2]])
    part = mean_of(at, _window(layer, at), counted)
    return Explained(f"y[c,i,j] = Σ {WINDOW} / n", [part], {**_symbols(layer, at), "n": counted})


@explains(nn.LpPool2d)
def _lp_pool(layer: nn.LpPool2d, at: Place) -> Explained:
    part = norm_of(at, _window(layer, at), layer.norm_type)
    return Explained(f"y[c,i,j] = (Σ |{WINDOW}|^p)^(1/p)", [part], _symbols(layer, at))


# The whole image, and bins of it ------------------------------------------------------------------


def _channel(at: Place) -> Box:
    return Box.at((at.unit[0], 0, 0)).across([1, 2], at.x.shape)


@explains(nn.GlobalMaxPool2d)
def _global_max(layer: nn.GlobalMaxPool2d, at: Place) -> Explained:
    return Explained("y[c] = max x[c,h,w]", [extreme(at, _channel(at))], {"c": at.unit[0]})


@explains(nn.GlobalAvgPool2d)
def _global_avg(layer: nn.GlobalAvgPool2d, at: Place) -> Explained:
    return Explained("y[c] = Σ x[c,h,w] / n", [mean_of(at, _channel(at))], {"c": at.unit[0]})


@explains(nn.GlobalLpPool2d)
def _global_lp(layer: nn.GlobalLpPool2d, at: Place) -> Explained:
    part = norm_of(at, _channel(at), layer.norm_type)
    return Explained("y[c] = (Σ |x[c,h,w]|^p)^(1/p)", [part], {"c": at.unit[0]})


def _bin(at: Place) -> Box:
    """Return the bin of the unit; `pellucid.ops.bins` divides the image."""
    c, *cell = at.unit
    ends = (
        ops.bins(size, out)[k]
        for size, out, k in zip(at.x.shape[1:], at.output.shape[1:], cell, strict=True)
    )
    return Box((Span(c), *(Span(first, 1, end - first) for first, end in ends)))


@explains(nn.AdaptiveMaxPool2d)
def _adaptive_max(layer: nn.AdaptiveMaxPool2d, at: Place) -> Explained:
    symbols = dict(zip("cij", at.unit, strict=True))
    return Explained("y[c,i,j] = max x[c,h,w] in the bin", [extreme(at, _bin(at))], symbols)


@explains(nn.AdaptiveAvgPool2d)
def _adaptive_avg(layer: nn.AdaptiveAvgPool2d, at: Place) -> Explained:
    symbols = dict(zip("cij", at.unit, strict=True))
    return Explained("y[c,i,j] = Σ x[c,h,w] / n in the bin", [mean_of(at, _bin(at))], symbols)
