"""Functions of one number: activations, and what imported graphs are made of.

Each has its formula as text; its value is that of the op, computed in float64. Where a function
consists of pieces, the formula of the unit is the piece that it lies on.
"""

from __future__ import annotations

import numpy as np

from .... import nn, ops
from ....ops.smooth_activations import CUBIC
from .boxes import Box
from .explaining import Explained, Place, explains
from .parts import Copy, Formula, Number, Reduction
from .pools import extreme, sum_of

__all__: list[str] = []

# Layers without options: the formula, and the op.
FIXED = {
    nn.ReLU: ("y = max(0, x)", ops.relu),
    nn.Sigmoid: ("y = 1 / (1 + e^(−x))", ops.sigmoid),
    nn.Tanh: ("y = tanh(x)", ops.tanh),
    nn.SiLU: ("y = x / (1 + e^(−x))", ops.silu),
    nn.Hardswish: ("y = x · min(max(x / 6 + 1 / 2, 0), 1)", ops.hardswish),
    nn.Softsign: ("y = x / (1 + |x|)", ops.softsign),
    nn.Mish: ("y = x · tanh(ln(1 + e^x))", ops.mish),
    nn.Abs: ("y = |x|", ops.absolute),
    nn.Exp: ("y = e^x", ops.exp),
    nn.Log: ("y = ln(x)", ops.log),
    nn.Sqrt: ("y = √(x)", ops.sqrt),
    nn.Reciprocal: ("y = 1 / x", ops.reciprocal),
    nn.Negative: ("y = −x", ops.negative),
    nn.Erf: ("y = erf(x)", ops.erf),
}


def constant(symbol: str, value: float) -> Number:
    """Return a number that the layer was built with."""
    return Number(symbol=symbol, value=float(value))


@explains(*FIXED)
def _fixed(layer: nn.Layer, at: Place) -> Explained:
    return at.function(*next(FIXED[kind] for kind in type(layer).__mro__ if kind in FIXED))


def above(at: Place, bound: float = 0.0) -> bool:
    """Return whether the number at the unit's place is above ``bound``."""
    return bool(at.x[at.unit] > bound)


@explains(nn.LeakyReLU)
def _leaky_relu(layer: nn.LeakyReLU, at: Place) -> Explained:
    slope = layer.negative_slope
    return at.function(
        "y = x" if above(at) else "y = a · x",
        lambda x: ops.leaky_relu(x, slope),
        constant("a", slope),
        equation="y = x where x > 0, else a · x",
    )


@explains(nn.PReLU)
def _prelu(layer: nn.PReLU, at: Place) -> Explained:
    c = at.unit[0] if layer.num_parameters > 1 else 0
    a = at.own_number("a", "weight", [c])
    return at.function(
        "y = x" if above(at) else "y = a · x",
        lambda x: ops.leaky_relu(x, a.value),
        a,
        equation="y = x where x > 0, else a[c] · x",
    )


@explains(nn.ThresholdedReLU)
def _thresholded_relu(layer: nn.ThresholdedReLU, at: Place) -> Explained:
    return at.function(
        "y = x" if above(at, layer.theta) else "y = 0",
        lambda x: ops.thresholded_relu(x, layer.theta),
        constant("θ", layer.theta),
        equation="y = x where x > θ, else 0",
    )


@explains(nn.Clip, nn.ReLU6)
def _clip(layer: nn.Clip | nn.ReLU6, at: Place) -> Explained:
    text, bounds = "x", []
    for name, function, bound in (("low", "max", layer.low), ("high", "min", layer.high)):
        if bound is not None:
            text = f"{function}({text}, {name})"
            bounds.append(constant(name, bound))
    return at.function(f"y = {text}", lambda x: ops.clip(x, layer.low, layer.high), *bounds)


@explains(nn.Hardsigmoid)
def _hardsigmoid(layer: nn.Hardsigmoid, at: Place) -> Explained:
    return at.function(
        "y = min(max(α · x + β, 0), 1)",
        lambda x: ops.hardsigmoid(x, layer.alpha, layer.beta),
        constant("α", layer.alpha),
        constant("β", layer.beta),
    )


@explains(nn.GELU)
def _gelu(layer: nn.GELU, at: Place) -> Explained:
    text = "y = x · (1 + erf(x / √(2))) / 2"
    if layer.approximate == "tanh":
        text = f"y = x · (1 + tanh(√(2 / π) · (x + {CUBIC} · x^3))) / 2"
    return at.function(text, lambda x: ops.gelu(x, layer.approximate))


@explains(nn.ELU)
def _elu(layer: nn.ELU, at: Place) -> Explained:
    return at.function(
        "y = x" if above(at) else "y = α · (e^x − 1)",
        lambda x: ops.elu(x, layer.alpha),
        constant("α", layer.alpha),
        equation="y = x where x > 0, else α · (e^x − 1)",
    )


@explains(nn.CELU)
def _celu(layer: nn.CELU, at: Place) -> Explained:
    return at.function(
        "y = x" if above(at) else "y = α · (e^(x / α) − 1)",
        lambda x: ops.celu(x, layer.alpha),
        constant("α", layer.alpha),
        equation="y = x where x > 0, else α · (e^(x / α) − 1)",
    )


@explains(nn.SELU)
def _selu(layer: nn.SELU, at: Place) -> Explained:
    return at.function(
        "y = λ · x" if above(at) else "y = λ · α · (e^x − 1)",
        lambda x: ops.selu(x, layer.alpha, layer.scale),
        constant("λ", layer.scale),
        constant("α", layer.alpha),
        equation="y = λ · x where x > 0, else λ · α · (e^x − 1)",
    )


@explains(nn.Softplus)
def _softplus(layer: nn.Softplus, at: Place) -> Explained:
    return at.function(
        "y = ln(1 + e^(β · x)) / β",
        lambda x: ops.softplus(x, layer.beta),
        constant("β", layer.beta),
    )


@explains(nn.Power)
def _power(layer: nn.Power, at: Place) -> Explained:
    p = constant("p", layer.exponent)
    return at.function("y = x^p", lambda x: ops.power(x, layer.exponent), p)


@explains(nn.Temperature)
def _temperature(layer: nn.Temperature, at: Place) -> Explained:
    by = layer.temperature
    return at.function("y = x / T", lambda x: x / by, constant("T", by))


@explains(nn.Dropout)
def _dropout(layer: nn.Dropout, at: Place) -> Explained:
    """Explain it as in evaluation, where nothing is drawn."""
    if layer.variant == "inverted":
        return _same(layer, at)
    return at.function("y = (1 − p) · x", lambda x: (1 - layer.p) * x, constant("p", layer.p))


@explains(nn.StochasticDepth)
def _same(layer: nn.Layer, at: Place) -> Explained:
    x = at.input_number("x")
    return Explained("y = x", [Copy(input=x.input, unit=x.unit, result=x.value)])


@explains(nn.Softmax)
def _softmax(layer: nn.Softmax, at: Place) -> Explained:
    """Explain it by way of the largest number, which is subtracted so that nothing overflows."""
    axis = layer.dim % (at.x.ndim + 1) - 1
    box = Box.at(at.unit).across([axis], at.x.shape)
    largest = extreme(at, box, symbol="m")
    with np.errstate(all="ignore"):
        each = np.exp(box.numbers(at.x).astype(np.float64) - largest.result)
    parts: list[Reduction] = [largest, sum_of(at, box, text="e^(z − m)", each=each, symbol="Σ")]
    x = at.input_number("x")
    with np.errstate(all="ignore"):
        result = float(np.exp(np.float64(x.value - largest.result)) / parts[1].result)
    numbers = [x, *(Number(symbol=part.symbol, value=part.result) for part in parts)]
    formula = Formula(text="y = e^(x − m) / Σ", numbers=numbers, result=result)
    return Explained("y[k] = e^x[k] / Σ e^x[j]", [*parts, formula], {"k": at.unit[axis]})
