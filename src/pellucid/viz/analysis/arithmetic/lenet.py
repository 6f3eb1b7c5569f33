"""The layers that only the LeNet-5 of 1998 has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....models.lenet_parts import (
    IN,
    OUT,
    A,
    RadialBasis,
    S,
    ScaleAndShift,
    ScaledTanh,
    TableConv2d,
)
from .boxes import Box, Span, window_box
from .connected import window_symbols
from .explaining import Explained, Place, explains
from .parts import Formula, Number
from .pointwise import constant
from .pools import sum_of

__all__: list[str] = []


@explains(ScaledTanh)
def _scaled_tanh(layer: ScaledTanh, at: Place) -> Explained:
    numbers = constant("A", A), constant("S", S)
    return at.function("y = A · tanh(S · x)", lambda x: A * np.tanh(S * x), *numbers)


@explains(ScaleAndShift)
def _scale_and_shift(layer: ScaleAndShift, at: Place) -> Explained:
    index = at.unit[:1]
    w, b = at.own_number("w", "weight", index), at.own_number("b", "bias", index)
    explained = at.function("y = w · x + b", lambda x: w.value * x + b.value, w, b)
    return replace(explained, equation="y[c,i,j] = w[c] · x[c,i,j] + b[c]")


@explains(TableConv2d)
def _table_conv(layer: TableConv2d, at: Place) -> Explained:
    """Explain it by one sum for each map that the filter sees."""
    o, i, j = at.unit
    windows = layer.windows(at.x.shape)
    sums = [
        at.products(
            window_box(windows, Span(int(IN[k])), (i, j)),
            layer.weight.data[k],
            name=f"Σ{IN[k]}",
            weight=at.key("weight"),
            weight_index=(int(k),),
        )
        for k in np.flatnonzero(o == OUT)
    ]
    text = "y[o,i,j] = b[o] + Σ w[o,c,u,v] · x[c, i + u, j + v]  for each c that o sees"
    symbols = {"o": o, "i": i, "j": j, **window_symbols(windows)}
    return Explained(text, at.with_bias([o], *sums), symbols)


@explains(RadialBasis)
def _radial_basis(layer: RadialBasis, at: Place) -> Explained:
    (k,) = at.unit
    codes = layer.codes.data[k].astype(np.float32)
    apart = np.square(at.x.astype(np.float64) - codes)
    squares = replace(
        sum_of(at, Box.whole(at.x.shape), text="(x − w)²", each=apart, symbol="Σ"),
        weight=at.key("codes"),
        weight_index=(k,),
        weights=codes,
    )
    number = Number(symbol="Σ", value=squares.result)
    formula = Formula(text="y = −Σ", numbers=[number], result=-squares.result)
    return Explained("y[k] = −Σ (x[i] − w[k,i])²", [squares, formula], {"k": k})
