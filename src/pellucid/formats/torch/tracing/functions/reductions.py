"""Means, sums and extremes over axes."""

from __future__ import annotations

from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import MIXES, Images
from .activations import first

__all__: list[str] = []


def _axes(call: Call, x: Images, dims: Any) -> str:
    if dims is None or dims == []:
        raise Unsupported(f"it adds up over all axes: {MIXES}")
    listed = [dims] if isinstance(dims, int) else dims
    return call.integers(sorted(x.at(dim) for dim in listed))


def _reduction(operator: str, *functions: str) -> None:
    @translates(*functions)
    def translate(call: Call) -> Images:
        x = first(call)
        keep = int(bool(call["keepdim"]))
        return call.made(call.emit(operator, x.name, _axes(call, x, call["dim"]), keepdims=keep))


_reduction("ReduceMean", "aten.mean")
_reduction("ReduceSum", "aten.sum")
_reduction("ReduceMax", "aten.amax")
_reduction("ReduceMin", "aten.amin")
_reduction("ReduceLogSumExp", "aten.logsumexp")


def _extreme(operator: str, elementwise: str, function: str) -> None:
    @translates(function)
    def translate(call: Call) -> Any:
        x = first(call)
        if call.overload == "other":
            layout = call.layout()
            names = [call.operand(call[name], layout) for name in ("self", "other")]
            return call.made(call.emit(elementwise, *names))
        keep = int(bool(call["keepdim"]))
        axes = _axes(call, x, call["dim"])
        return [call.made(call.emit(operator, x.name, axes, keepdims=keep), 0)]


_extreme("ReduceMax", "Max", "aten.max")
_extreme("ReduceMin", "Min", "aten.min")


@translates("aten.linalg_vector_norm", "aten.norm")
def _norm(call: Call) -> Images:
    x = first(call)
    order = call["ord"] if "ord" in call.arguments else call["p"]
    if order not in (1, 2):
        raise Unsupported(f"its order is {order}; 1 and 2 are read")
    keep = int(bool(call["keepdim"]))
    operator = "ReduceL1" if order == 1 else "ReduceL2"
    return call.made(call.emit(operator, x.name, _axes(call, x, call["dim"]), keepdims=keep))


@translates("aten.var", "aten.std")
def _variance(call: Call) -> Images:
    _, variance = _moments(call, keep=bool(call["keepdim"]))
    return call.made(call.emit("Sqrt", variance) if "std" in str(call.node.target) else variance)


@translates("aten.var_mean")
def _variance_and_mean(call: Call) -> list[Images]:
    keep = bool(call["keepdim"])
    mean, variance = _moments(call, keep=keep)
    if not keep:
        mean = call.shaped(mean, call.layout(1).sizes)
    return [call.made(variance, 0), call.made(mean, 1)]


def _moments(call: Call, *, keep: bool) -> tuple[str, str]:
    """Say the mean, which keeps its axes, and the variance, over n - correction numbers."""
    x, dims = first(call), call["dim"]
    axes = _axes(call, x, dims)
    count = 1
    for dim in [dims] if isinstance(dims, int) else dims:
        count *= x.sizes[x.at(dim) - 1]
    unbiased = call["unbiased"] if "unbiased" in call.arguments else None
    correction = call["correction"] if unbiased is None else int(unbiased)
    less = 1 if correction is None else correction
    mean = call.emit("ReduceMean", x.name, axes, keepdims=1)
    centred = call.emit("Sub", x.name, mean)
    square = call.emit("Mul", centred, centred)
    variance = call.emit("ReduceMean", square, axes, keepdims=int(keep))
    if less:
        if count <= less:
            raise Unsupported(f"it divides by {count - less}")
        variance = call.emit("Mul", variance, call.constant(count / (count - less)))
    return mean, variance
