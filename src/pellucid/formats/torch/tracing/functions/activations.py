"""Functions of each number alone, and softmax."""

from __future__ import annotations

import numpy as np

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Fixed, Images

__all__ = ["clipped", "first"]


def first(call: Call) -> Images:
    """Return the images that a function of one array reads, whatever it calls them."""
    return call.images("self" if "self" in call.arguments else "input")


def _plain(function: str, operator: str) -> None:
    @translates(function)
    def translate(call: Call) -> Images:
        x = first(call)
        return x.with_name(call.emit(operator, x.name))


for _function, _operator in {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "silu": "Swish", "hardswish": "HardSwish",
    "mish": "Mish", "abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "reciprocal": "Reciprocal", "neg": "Neg", "erf": "Erf", "selu": "Selu",
}.items():  # fmt: skip
    _plain(f"aten.{_function}", _operator)


def clipped(call: Call, x: Images, low: float | None, high: float | None) -> Images:
    """Limit numbers to ``low`` and ``high``; None for no limit."""
    limits = ["" if limit is None else call.constant(float(limit)) for limit in (low, high)]
    return x.with_name(call.emit("Clip", x.name, *limits))


@translates("aten.relu6")
def _relu6(call: Call) -> Images:
    return clipped(call, first(call), 0.0, 6.0)


@translates("aten.hardtanh")
def _hardtanh(call: Call) -> Images:
    return clipped(call, first(call), call["min_val"], call["max_val"])


@translates("aten.hardsigmoid")
def _hardsigmoid(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("HardSigmoid", x.name, alpha=1 / 6, beta=0.5))


@translates("aten.gelu")
def _gelu(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("Gelu", x.name, approximate=call["approximate"]))


@translates("aten.leaky_relu")
def _leaky_relu(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("LeakyRelu", x.name, alpha=float(call["negative_slope"])))


@translates("aten.elu")
def _elu(call: Call) -> Images:
    x = first(call)
    if (call["scale"], call["input_scale"]) != (1, 1):
        raise Unsupported("its scales are not 1")
    return x.with_name(call.emit("Elu", x.name, alpha=float(call["alpha"])))


@translates("aten.celu")
def _celu(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("Celu", x.name, alpha=float(call["alpha"])))


@translates("aten.prelu")
def _prelu(call: Call) -> Images:
    x, slope = call.batch("self"), call.fixed("weight")
    assert slope is not None
    tensor = slope.tensor
    if tensor.numel() > 1:  # one slope a channel
        tensor = tensor.reshape(-1, *(1,) * (len(x.sizes) - 1))
    slope = Fixed(tensor, slope.name, slope.trainable)
    return x.with_name(call.emit("PRelu", x.name, call.constant(slope)))


@translates("aten.softplus")
def _softplus(call: Call) -> Images:
    """Say log(1 + e^(βx)) / β; beyond its threshold PyTorch returns x, which is the same."""
    x, beta = first(call), float(call["beta"])
    if beta == 1:
        return x.with_name(call.emit("Softplus", x.name))
    inner = call.emit("Softplus", call.emit("Mul", x.name, call.constant(beta)))
    return x.with_name(call.emit("Div", inner, call.constant(beta)))


@translates("aten.log_sigmoid")
def _log_sigmoid(call: Call) -> Images:
    """Say -log(1 + e^(-x))."""
    x = first(call)
    soft = call.emit("Softplus", call.emit("Neg", x.name))
    return x.with_name(call.emit("Neg", soft))


@translates("aten.threshold")
def _threshold(call: Call) -> Images:
    x = first(call)
    if call["value"] != 0 or call["threshold"] < 0:
        raise Unsupported(
            f"its value is {call['value']}; 0 above a threshold of at least 0 is read"
        )
    return x.with_name(call.emit("ThresholdedRelu", x.name, alpha=float(call["threshold"])))


@translates("aten.square")
def _square(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("Mul", x.name, x.name))


@translates("aten.rsqrt")
def _rsqrt(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("Reciprocal", call.emit("Sqrt", x.name)))


@translates("aten.softmax", "aten._softmax")
def _softmax(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("Softmax", x.name, axis=x.at(call["dim"])))


@translates("aten.log_softmax", "aten._log_softmax")
def _log_softmax(call: Call) -> Images:
    x = first(call)
    return x.with_name(call.emit("LogSoftmax", x.name, axis=x.at(call["dim"])))


@translates("aten.glu")
def _glu(call: Call) -> Images:
    """Say a · σ(b) of both halves."""
    x = first(call)
    axis = x.at(call["dim"])
    half = x.sizes[axis - 1] // 2
    sizes = call.integers([half, half])
    a, b = call.emit_several("Split", 2, x.name, sizes, axis=axis)
    return call.made(call.emit("Mul", a, call.emit("Sigmoid", b)))


@translates("aten.dropout", "aten.native_dropout")
def _dropout(call: Call) -> Images:
    """Keep a dropout, which is the identity outside training."""
    x = first(call)
    ratio = call.constant(np.float32(call["p"]))
    return x.with_name(call.emit("Dropout", x.name, ratio))
