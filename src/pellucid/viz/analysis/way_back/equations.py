"""What a layer makes of the gradient of its output, as an equation with the unit's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from .... import nn
from ....nn import Layer
from ....nn.by_class import ByClass
from ....typing import Array
from ..arithmetic import Number

__all__ = ["Told", "equation_back", "explains_back"]

#: An equation, and the numbers of its letters that are not arrays.
Told: TypeAlias = tuple[str, Sequence[Number]]
Tell = Callable[..., Told]
_BY_CLASS: ByClass[Tell] = ByClass("explains_back", "def my_layer(layer, inputs, which, unit)")
#: A decorator, ``@explains_back(MyLayer)``, of a function that returns what `equation_back` does.
explains_back = _BY_CLASS.register


def equation_back(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    """Return how ``dx`` of a unit of input ``which`` follows from ``dy``, and its numbers.

    Examples
    --------
    >>> import numpy as np
    >>> text, numbers = equation_back(nn.ReLU(), [np.array([-2.0, 3.0])], 0, (1,))
    >>> text, [(number.symbol, number.value) for number in numbers]
    ('dx = dy · [x > 0]', [('x', 3.0)])
    """
    tell = _BY_CLASS.of(layer)
    if tell is not None:
        return tell(layer, inputs, which, unit)
    if layer.per_number:
        return "dx = dy · f′(x)", [Number(symbol="x", value=float(inputs[which][unit]))]
    return "dx = Σ dy · ∂y/∂x", []


@explains_back(nn.Conv2d)
def _conv(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    where = "s·i + d·u − p = h, s·j + d·v − p = k"
    return f"dx[c,h,k] = Σ dy[o,i,j] · w[o,c,u,v]  where {where}", []


@explains_back(nn.ConvTranspose2d)
def _transposed(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx[c,h,k] = Σ dy[o, s·h + d·u − p, s·k + d·v − p] · w[c,o,u,v]", []


@explains_back(nn.Linear)
def _linear(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx[k] = Σ dy[o] · w[o,k]", []


@explains_back(nn.ChannelLinear)
def _pixels(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx[c,i,j] = Σ dy[o,i,j] · w[o,c]", []


@explains_back(nn.ReLU)
def _relu(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx = dy · [x > 0]", [Number(symbol="x", value=float(inputs[0][unit]))]


@explains_back(nn.MaxPool2d, nn.GlobalMaxPool2d, nn.AdaptiveMaxPool2d, nn.Max)
def _largest(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    text = "dx = Σ dy · [x is the maximum of the window]"
    return text, [Number(symbol="x", value=float(inputs[0][unit]))]


@explains_back(nn.AvgPool2d, nn.GlobalAvgPool2d, nn.AdaptiveAvgPool2d, nn.Mean)
def _mean(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx = Σ dy / n", []


@explains_back(nn.BatchNorm2d)
def _norm(
    layer: nn.BatchNorm2d, inputs: Sequence[Array], which: int, unit: tuple[int, ...]
) -> Told:
    c = unit[:1]
    return "dx = dy · γ / √(σ² + ε)", [
        Number(symbol="γ", value=float(layer.weight.data[c]), key="weight", index=c),
        Number(symbol="σ²", value=float(layer.running_var.data[c]), key="running_var", index=c),
        Number(symbol="ε", value=layer.eps),
    ]


@explains_back(nn.Softmax)
def _softmax(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx[k] = Σ dy[j] · y[j] · ([j = k] − y[k])", []


@explains_back(
    nn.Add, nn.Concat, nn.Flatten, nn.Reshape, nn.Permute, nn.Slice, nn.PixelShuffle,
    nn.PixelUnshuffle, nn.ZeroPadShortcut, nn.Dropout, nn.StochasticDepth,
)  # fmt: skip
def _passed(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return "dx = dy", []


@explains_back(nn.Subtract)
def _minus(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return ("dx = −dy" if which else "dx = dy"), []


@explains_back(nn.Multiply)
def _times(layer: Layer, inputs: Sequence[Array], which: int, unit: tuple[int, ...]) -> Told:
    return f"dx{which + 1} = Σ dy · x{2 - which}", []
