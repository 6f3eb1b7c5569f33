"""Normalizations, in evaluation: the statistics where they are of the image, and the formula."""

from __future__ import annotations

import numpy as np

from .... import nn
from .boxes import Box, Span
from .explaining import Explained, Place, explains
from .parts import Formula, Number, Part
from .pools import mean_of, sum_of

__all__: list[str] = []


def evaluated(numbers: list[Number], affine: str = "γβ") -> Formula:
    """Return ``γ · (x − μ) / √(σ² + ε) + β`` of the numbers; without γ or β if they are not."""
    value = {number.symbol: number.value for number in numbers}
    text, result = "(x − μ) / √(σ² + ε)", value["x"] - value["μ"]
    with np.errstate(all="ignore"):
        result = float(np.float64(result) / np.sqrt(np.float64(value["σ²"] + value["ε"])))
    if "γ" in affine:
        text, result = f"γ · {text}", value["γ"] * result
    if "β" in affine:
        text, result = f"{text} + β", result + value["β"]
    return Formula(text=f"y = {text}", numbers=numbers, result=result)


@explains(nn.BatchNorm2d)
def _batch_norm(layer: nn.BatchNorm2d, at: Place) -> Explained:
    c = at.unit[0]
    numbers = [
        at.input_number("x"),
        at.own_number("μ", "running_mean", [c]),
        at.own_number("σ²", "running_var", [c]),
        Number(symbol="ε", value=float(layer.eps)),
        at.own_number("γ", "weight", [c]),
        at.own_number("β", "bias", [c]),
    ]
    text = "y[c] = γ[c] · (x[c] − μ[c]) / √(σ²[c] + ε) + β[c]"
    return Explained(text, [evaluated(numbers)], {"c": c})


def standardized(at: Place, box: Box, eps: float, index: tuple[int, ...]) -> list[Part]:
    """Return mean and variance of the numbers in a box, and the formula of the unit."""
    layer = at.layer
    mean = mean_of(at, box, symbol="μ")
    apart = (mean.numbers.astype(np.float64) - mean.result) ** 2
    variance = mean_of(at, box, text="(x − μ)²", each=apart, name="variance", symbol="σ²")
    numbers = [
        at.input_number("x"),
        Number(symbol="μ", value=mean.result),
        Number(symbol="σ²", value=variance.result),
        Number(symbol="ε", value=float(eps)),
    ]
    affine = ""
    for symbol, key in (("γ", "weight"), ("β", "bias")):
        if getattr(layer, key, None) is not None:
            numbers.append(at.own_number(symbol, key, index))
            affine += symbol
    return [mean, variance, evaluated(numbers, affine)]


def _text(layer: nn.Layer) -> str:
    begin = "γ · " if getattr(layer, "weight", None) is not None else ""
    return f"y = {begin}(x − μ) / √(σ² + ε)" + " + β" * (getattr(layer, "bias", None) is not None)


@explains(nn.GroupNorm, nn.InstanceNorm2d)
def _group_norm(layer: nn.GroupNorm | nn.InstanceNorm2d, at: Place) -> Explained:
    c, together = at.unit[0], at.x.shape[0] // layer.num_groups
    rest = Box.whole(at.x.shape).spans[1:]
    box = Box((Span(c // together * together, 1, together), *rest))
    return Explained(_text(layer), standardized(at, box, layer.eps, (c,)), {"c": c})


@explains(nn.LayerNorm)
def _layer_norm(layer: nn.LayerNorm, at: Place) -> Explained:
    lead = at.x.ndim - len(layer.normalized_shape)
    box = Box.at(at.unit).across(range(lead, at.x.ndim), at.x.shape)
    return Explained(_text(layer), standardized(at, box, layer.eps, at.unit[lead:]))


@explains(nn.LayerNorm2d)
def _layer_norm_2d(layer: nn.LayerNorm2d, at: Place) -> Explained:
    box = Box.at(at.unit).across([0], at.x.shape)
    return Explained(_text(layer), standardized(at, box, layer.eps, at.unit[:1]))


@explains(nn.LocalResponseNorm)
def _local_response_norm(layer: nn.LocalResponseNorm, at: Place) -> Explained:
    c, n = at.unit[0], layer.size
    first, end = max(c - n // 2, 0), min(c + (n - 1) // 2 + 1, at.x.shape[0])
    box = Box((Span(first, 1, end - first), *Box.at(at.unit[1:]).spans))
    squares = sum_of(at, box, text="z²", each=np.square(box.numbers(at.x)), symbol="S")
    x = at.input_number("x")
    with np.errstate(all="ignore"):
        s = np.float64(layer.k + layer.alpha / n * squares.result)
        result = float(np.float64(x.value) / s**layer.beta)
    numbers = [
        x,
        Number(symbol="k", value=float(layer.k)),
        Number(symbol="α", value=float(layer.alpha)),
        Number(symbol="n", value=float(n)),
        Number(symbol="S", value=squares.result),
        Number(symbol="β", value=float(layer.beta)),
    ]
    formula = Formula(text="y = x / (k + α / n · S)^β", numbers=numbers, result=result)
    text = "y[c] = x[c] / (k + α/n · Σ x[near c]²)^β"
    return Explained(text, [squares, formula], {"c": c})


@explains(nn.Normalize)
def _normalize(layer: nn.Normalize, at: Place) -> Explained:
    c, x = at.unit[0], at.input_number("x")
    mean, std = layer.mean[c], layer.std[c]
    numbers = [x, Number(symbol="μ", value=mean), Number(symbol="σ", value=std)]
    formula = Formula(text="y = (x − μ) / σ", numbers=numbers, result=(x.value - mean) / std)
    return Explained("y[c] = (x[c] − μ[c]) / σ[c]", [formula], {"c": c})
