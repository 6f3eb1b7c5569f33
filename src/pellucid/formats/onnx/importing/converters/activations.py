"""Functions of each number alone, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from .....nn import (
    CELU,
    ELU,
    GELU,
    SELU,
    Abs,
    Clip,
    Erf,
    Exp,
    Hardsigmoid,
    Hardswish,
    Layer,
    LeakyReLU,
    Log,
    Max,
    Mish,
    Negative,
    PReLU,
    Reciprocal,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Subtract,
    Sum,
    Tanh,
    ThresholdedReLU,
)
from ..node import Reading, holding
from ..registry import reads
from ..values import Image

__all__ = ["clipped"]


def _plain(operator: str, layer: Callable[[], Layer]) -> None:
    reads(operator)(lambda node: node.add(layer(), node.image()))


for _operator, _layer in {
    "Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Softplus": Softplus, "Softsign": Softsign,
    "HardSwish": Hardswish, "Mish": Mish, "Abs": Abs, "Exp": Exp, "Log": Log, "Sqrt": Sqrt,
    "Reciprocal": Reciprocal, "Neg": Negative, "Erf": Erf,
}.items():  # fmt: skip
    _plain(_operator, _layer)


def _with_attributes(operator: str, layer: Callable[..., Layer], **defaults: float) -> None:
    """Register an operator whose attributes are the layer's arguments, in this order."""

    def convert(node: Reading) -> Image:
        values = [float(node.attribute(name, value)) for name, value in defaults.items()]
        return node.add(layer(*values), node.image())

    reads(operator)(convert)


_with_attributes("LeakyRelu", LeakyReLU, alpha=0.01)
_with_attributes("Elu", ELU, alpha=1.0)
_with_attributes("Celu", CELU, alpha=1.0)
_with_attributes("Selu", SELU, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875)
_with_attributes("HardSigmoid", Hardsigmoid, alpha=0.2, beta=0.5)
_with_attributes("ThresholdedRelu", ThresholdedReLU, alpha=1.0)


@reads("Gelu")
def _gelu(node: Reading) -> Image:
    approximate = node.require("approximate", "none", "tanh")
    return node.add(GELU(approximate), node.image())


@reads("Swish")
def _swish(node: Reading) -> Image:
    node.require("alpha", 1.0)
    return node.add(SiLU(), node.image())


@reads("Clip")
def _clip(node: Reading) -> Image:
    low = node.number(1, node.attribute("min"))
    high = node.number(2, node.attribute("max"))
    return clipped(node, node.image(), low, high)


def clipped(node: Reading, x: Image, low: float | None, high: float | None) -> Image:
    """Add the layer that limits an image to ``low`` and ``high``."""
    # The limits that exporters write for "none": infinity, or the largest float32.
    low = None if low is None or low < -3e38 else float(low)
    high = None if high is None or high > 3e38 else float(high)
    if low is None and high is None:
        return x
    if (low, high) == (0, None):
        return node.add(ReLU(), x)
    if (low, high) == (0, 6):
        return node.add(ReLU6(), x)
    if low is not None and high is not None and low > high:
        low = high  # the largest wins, by the specification
    return node.add(Clip(low, high), x)


@reads("PRelu")
def _prelu(node: Reading) -> Image:
    x, slope = node.image(), node.weight(1)
    array = slope.array
    if array.size == 1:
        return node.add(holding(PReLU(1), weight=array.reshape(1)), x)
    # One slope a channel: of N, C, H, W all but C are 1.
    aligned = (1,) * (x.rank - array.ndim) + array.shape
    if x.shape and aligned[1:2] == (array.size,) == x.shape[:1]:
        return node.add(holding(PReLU(array.size), weight=array.reshape(-1)), x)
    # Others: max(0, x) - slope · max(0, -x).
    from .arithmetic import scaled

    above = node.add(ReLU(), x, part="above")
    below = node.add(ReLU(), node.add(Negative(), x, part="negative"), part="below")
    return node.add(Subtract(), above, scaled(node, below, slope, part="slope"))


@reads("Softmax", "LogSoftmax")
def _softmax(node: Reading) -> Image:
    """Convert both: before opset 13 over all axes from ``axis`` on, later over that axis alone."""
    x = node.image(merged=True)
    of_one_axis = node.opset >= 13
    axis = node.axis(int(node.attribute("axis", -1 if of_one_axis else 1)), x.rank) + x.merged
    function = _log_softmax if node.operation.op == "LogSoftmax" else _probabilities
    after = x.shape[axis - 1 :]
    if of_one_axis or len(after) == 1 or math.prod(after[1:]) == 1:
        return replace(function(node, x, axis), merged=x.merged)
    flat = node.add(Reshape((*x.shape[: axis - 1], math.prod(after))), x, part="flat")
    y = node.add(Reshape(x.shape), function(node, flat, axis), part="shaped")
    return replace(y, merged=x.merged)


def _probabilities(node: Reading, x: Image, axis: int) -> Image:
    return node.add(Softmax(axis), x)


def _log_softmax(node: Reading, x: Image, axis: int) -> Image:
    """Add x - m - log Σ e^(x - m), with the largest number m: no number overflows."""
    largest = node.add(Max((axis,)), x, part="max")
    centred = node.add(Subtract(), x, largest, part="centred")
    total = node.add(Sum((axis,)), node.add(Exp(), centred, part="exp"), part="sum")
    return node.add(Subtract(), centred, node.add(Log(), total, part="log"))
