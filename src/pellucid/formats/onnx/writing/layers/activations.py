"""Functions of each number: smooth activations, and those that one operator expresses."""

from __future__ import annotations

import math

import numpy as np

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__ = ["softmax"]

# Layers that an operator of the same arguments expresses in every opset.
ALIKE: dict[type[nn.Layer], str] = {
    nn.ReLU: "Relu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
    nn.Softsign: "Softsign",
    nn.Abs: "Abs",
    nn.Exp: "Exp",
    nn.Log: "Log",
    nn.Sqrt: "Sqrt",
    nn.Reciprocal: "Reciprocal",
    nn.Negative: "Neg",
}


@writes(*ALIKE)
def _alike(sheet: Sheet, layer: nn.Layer, x: Value) -> str:
    return sheet.op(next(ALIKE[kind] for kind in type(layer).__mro__ if kind in ALIKE), x)


@writes(nn.SiLU)
def _silu(sheet: Sheet, layer: nn.SiLU, x: Value) -> str:
    return sheet.op("Mul", x, sheet.op("Sigmoid", x))


@writes(nn.GELU)
def _gelu(sheet: Sheet, layer: nn.GELU, x: Value) -> str:
    if sheet.opset >= 20:
        return sheet.op("Gelu", x, approximate=layer.approximate)
    half = sheet.op("Mul", x, sheet.number(0.5, "half"))
    if layer.approximate == "none":
        sheet.require_opset(9, "the error function")
        inside = sheet.op("Erf", sheet.op("Mul", x, sheet.number(math.sqrt(0.5), "scale")))
    else:
        cube = sheet.op("Mul", sheet.op("Mul", x, x), x)
        more = sheet.op("Mul", cube, sheet.number(0.044715, "cubic"))
        scale = sheet.number(math.sqrt(2 / math.pi), "scale")
        inside = sheet.op("Tanh", sheet.op("Mul", sheet.op("Add", x, more), scale))
    return sheet.op("Mul", half, sheet.op("Add", inside, sheet.number(1, "one")))


@writes(nn.ELU)
def _elu(sheet: Sheet, layer: nn.ELU, x: Value) -> str:
    return sheet.op("Elu", x, alpha=float(layer.alpha))


@writes(nn.CELU)
def _celu(sheet: Sheet, layer: nn.CELU, x: Value) -> str:
    """Write Celu, which is of float32 only; else ``α · ELU(x / α)``, the same."""
    if sheet.opset >= 12 and sheet.dtype == np.float32:
        return sheet.op("Celu", x, alpha=float(layer.alpha))
    alpha = sheet.number(layer.alpha, "alpha")
    return sheet.op("Mul", sheet.op("Elu", sheet.op("Div", x, alpha), alpha=1.0), alpha)


@writes(nn.SELU)
def _selu(sheet: Sheet, layer: nn.SELU, x: Value) -> str:
    return sheet.op("Selu", x, alpha=float(layer.alpha), gamma=float(layer.scale))


@writes(nn.Softplus)
def _softplus(sheet: Sheet, layer: nn.Softplus, x: Value) -> str:
    if layer.beta == 1:
        return sheet.op("Softplus", x)
    beta = sheet.number(layer.beta, "beta")
    return sheet.op("Div", sheet.op("Softplus", sheet.op("Mul", x, beta)), beta)


@writes(nn.Mish)
def _mish(sheet: Sheet, layer: nn.Mish, x: Value) -> str:
    if sheet.opset >= 18:
        return sheet.op("Mish", x)
    return sheet.op("Mul", x, sheet.op("Tanh", sheet.op("Softplus", x)))


@writes(nn.Softmax)
def _softmax(sheet: Sheet, layer: nn.Softmax, x: Value) -> str:
    rank = 1 + len(x.shape)
    return softmax(sheet, x, layer.dim % rank, rank)


def softmax(sheet: Sheet, x: Value | str, axis: int, rank: int) -> str:
    """Write a softmax along ``axis`` of a value with ``rank`` axes.

    Before opset 13 the operator flattens all axes from ``axis`` on: it is applied to the last one.
    """
    if sheet.opset >= 13 or axis == rank - 1:
        return sheet.op("Softmax", x, axis=axis)
    order = [a for a in range(rank) if a != axis] + [axis]
    last = sheet.op("Softmax", sheet.op("Transpose", x, perm=order), axis=rank - 1)
    return sheet.op("Transpose", last, perm=[order.index(a) for a in range(rank)])


@writes(nn.Temperature)
def _temperature(sheet: Sheet, layer: nn.Temperature, x: Value) -> str:
    return sheet.op("Div", x, sheet.number(layer.temperature, "temperature"))


@writes(nn.StochasticDepth)
def _stochastic_depth(sheet: Sheet, layer: nn.StochasticDepth, x: Value) -> str:
    return x.name  # in evaluation the identity


@writes(nn.Dropout)
def _dropout(sheet: Sheet, layer: nn.Dropout, x: Value) -> str:
    if layer.variant == "inverted":
        return x.name  # in evaluation the identity
    return sheet.op("Mul", x, sheet.number(1 - layer.p, "kept"))


@writes(nn.Erf)
def _erf(sheet: Sheet, layer: nn.Erf, x: Value) -> str:
    sheet.require_opset(9, "the error function")
    return sheet.op("Erf", x)


@writes(nn.Power)
def _power(sheet: Sheet, layer: nn.Power, x: Value) -> str:
    return sheet.op("Pow", x, sheet.number(layer.exponent, "exponent"))
