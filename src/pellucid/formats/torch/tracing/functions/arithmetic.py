"""Sums, products and powers."""

from __future__ import annotations

from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Images
from .activations import clipped, first

__all__: list[str] = []


def binary(call: Call, operator: str, a: Any, b: Any) -> Images:
    """Say an operator of two values, which broadcast."""
    layout = call.layout()
    names = [call.operand(each, layout) for each in (a, b)]
    return call.made(call.emit(operator, *names))


@translates("aten.add")
def _add(call: Call) -> Images:
    return binary(call, "Add", call["self"], _scaled(call, call["other"]))


@translates("aten.sub", "aten.subtract")
def _sub(call: Call) -> Images:
    return binary(call, "Sub", call["self"], _scaled(call, call["other"]))


@translates("aten.rsub")
def _rsub(call: Call) -> Images:
    return binary(call, "Sub", call["other"], _scaled(call, call["self"]))


def _scaled(call: Call, value: Any) -> Any:
    """Return α · value, of a sum's second term."""
    alpha = call["alpha"]
    if alpha in (None, 1):
        return value
    if isinstance(value, Images):
        return value.with_name(call.emit("Mul", value.name, call.constant(float(alpha))))
    if isinstance(value, int | float):
        return value * alpha
    return type(value)(value.tensor * alpha)


@translates("aten.mul", "aten.multiply")
def _mul(call: Call) -> Images:
    return binary(call, "Mul", call["self"], call["other"])


@translates("aten.div", "aten.divide", "aten.true_divide")
def _div(call: Call) -> Images:
    if call["rounding_mode"] is not None:
        raise Unsupported(f"its rounding_mode is {call['rounding_mode']!r}")
    return binary(call, "Div", call["self"], call["other"])


@translates("aten.maximum")
def _maximum(call: Call) -> Images:
    return binary(call, "Max", call["self"], call["other"])


@translates("aten.minimum")
def _minimum(call: Call) -> Images:
    return binary(call, "Min", call["self"], call["other"])


@translates("aten.addcmul")
def _addcmul(call: Call) -> Images:
    layout = call.layout()
    a, b, c = (call.operand(call[name], layout) for name in ("self", "tensor1", "tensor2"))
    product = call.emit("Mul", b, c)
    if call["value"] != 1:
        product = call.emit("Mul", product, call.constant(float(call["value"])))
    return call.made(call.emit("Add", a, product))


@translates("aten.pow")
def _pow(call: Call) -> Images:
    x, exponent = first(call), call["exponent"]
    if not isinstance(exponent, int | float):
        raise Unsupported("its exponent is not a number")
    if exponent == 2:
        return x.with_name(call.emit("Mul", x.name, x.name))
    return x.with_name(call.emit("Pow", x.name, call.constant(float(exponent))))


@translates("aten.clamp", "aten.clip")
def _clamp(call: Call) -> Images:
    low, high = call["min"], call["max"]
    if call.overload == "Tensor":
        x = first(call)
        for operator, limit in (("Max", low), ("Min", high)):
            if limit is not None:
                x = binary(call, operator, x, limit)
        return x
    return clipped(call, first(call), low, high)


@translates("aten.clamp_min")
def _clamp_min(call: Call) -> Images:
    return clipped(call, first(call), call["min"], None)


@translates("aten.clamp_max")
def _clamp_max(call: Call) -> Images:
    return clipped(call, first(call), None, call["max"])


@translates(
    "aten.clone", "aten.contiguous", "aten.detach", "aten.alias", "aten.lift_fresh",
    "aten.lift_fresh_copy", "aten.feature_dropout", "aten.alpha_dropout",
    "aten.feature_alpha_dropout", "aten.positive",
)  # fmt: skip
def _same(call: Call) -> Images:
    return first(call)


@translates("aten.copy")
def _copy(call: Call) -> Images:
    """Say what an array becomes that another one is copied into."""
    x = call["src"]
    if not isinstance(x, Images) or x.layout != call.layout():
        raise Unsupported("it copies a constant, or repeats what it copies")
    return x


@translates("aten.to", "aten._to_copy", "aten.type_as", "aten.float", "aten.half", "aten.double")
def _cast(call: Call) -> Images:
    """Leave out conversions between kinds of floating-point numbers; float32 is computed."""
    dtype = call.node.meta["val"].dtype
    if not dtype.is_floating_point:
        raise Unsupported(f"it converts images to {dtype}; they are floating-point numbers here")
    return first(call)
