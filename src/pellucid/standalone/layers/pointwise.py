"""Activations, and other functions of each number."""

from __future__ import annotations

from ... import nn
from ...typing import Shape
from ..calls import Call, becomes

__all__: list[str] = []

# Layers without options, by their function.
ALIKE: dict[type[nn.Layer], str] = {
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.SiLU: "silu",
    nn.Hardswish: "hardswish",
    nn.Softsign: "softsign",
    nn.Mish: "mish",
    nn.Abs: "absolute",
    nn.Exp: "exp",
    nn.Log: "log",
    nn.Sqrt: "sqrt",
    nn.Reciprocal: "reciprocal",
    nn.Negative: "negative",
    nn.Erf: "erf",
}


@becomes(*ALIKE)
def _alike(layer: nn.Layer, shape: Shape) -> Call:
    return Call(next(ALIKE[kind] for kind in type(layer).__mro__ if kind in ALIKE))


@becomes(nn.GELU)
def _gelu(layer: nn.GELU, shape: Shape) -> Call:
    return Call("gelu" if layer.approximate == "none" else "gelu_tanh")


@becomes(nn.LeakyReLU)
def _leaky_relu(layer: nn.LeakyReLU, shape: Shape) -> Call:
    return Call("leaky_relu", options={"slope": layer.negative_slope})


@becomes(nn.PReLU)
def _prelu(layer: nn.PReLU, shape: Shape) -> Call:
    return Call("prelu", {"weight": layer.weight})


@becomes(nn.ThresholdedReLU)
def _thresholded_relu(layer: nn.ThresholdedReLU, shape: Shape) -> Call:
    return Call("thresholded_relu", options={"theta": layer.theta})


@becomes(nn.Clip, nn.ReLU6)
def _clip(layer: nn.Clip | nn.ReLU6, shape: Shape) -> Call | None:
    bounds = {"low": layer.low, "high": layer.high}
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    return Call("clip", options=known) if known else None


@becomes(nn.Hardsigmoid)
def _hardsigmoid(layer: nn.Hardsigmoid, shape: Shape) -> Call:
    return Call("hardsigmoid", options={"alpha": layer.alpha, "beta": layer.beta})


@becomes(nn.ELU)
def _elu(layer: nn.ELU, shape: Shape) -> Call:
    return Call("elu", options={"alpha": layer.alpha})


@becomes(nn.CELU)
def _celu(layer: nn.CELU, shape: Shape) -> Call:
    return Call("elu", options={"alpha": layer.alpha, "width": layer.alpha})


@becomes(nn.SELU)
def _selu(layer: nn.SELU, shape: Shape) -> Call:
    return Call("elu", options={"alpha": layer.alpha, "scale": layer.scale})


@becomes(nn.Softplus)
def _softplus(layer: nn.Softplus, shape: Shape) -> Call:
    return Call("softplus", options={"beta": layer.beta})


@becomes(nn.Power)
def _power(layer: nn.Power, shape: Shape) -> Call:
    return Call("power", options={"exponent": layer.exponent})


@becomes(nn.Softmax)
def _softmax(layer: nn.Softmax, shape: Shape) -> Call:
    return Call("softmax", options={"axis": layer.dim % (1 + len(shape))})


@becomes(nn.Temperature)
def _temperature(layer: nn.Temperature, shape: Shape) -> Call:
    return Call("divided", options={"by": layer.temperature})


@becomes(nn.Dropout)
def _dropout(layer: nn.Dropout, shape: Shape) -> Call | None:
    return None if layer.variant == "inverted" else Call("times", options={"factor": 1 - layer.p})


@becomes(nn.StochasticDepth)
def _stochastic_depth(layer: nn.StochasticDepth, shape: Shape) -> None:
    return None
