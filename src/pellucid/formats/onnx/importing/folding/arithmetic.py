"""Numbers: sums, comparisons, conversions, reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .....typing import Array
from .table import Attributes, Fold, bounded, folds

__all__: list[str] = []

# ONNX's numbers of data types (TensorProto.DataType); bfloat16 becomes float32.
DTYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.float32,
}  # fmt: skip


def _binary(*operators: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        def folded(attributes: Attributes, a: Array, b: Array) -> Any:
            bounded(np.broadcast_shapes(a.shape, b.shape))
            return function(a, b)

        return folds(*operators)(folded)

    return register


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return a / b
    if (b == 0).any():
        raise ValueError("a division by 0")
    return (np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)  # truncates, as in C


for _operator, _function in {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide, "Equal": np.equal,
    "Greater": np.greater, "Less": np.less, "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal, "And": np.logical_and, "Or": np.logical_or,
    "Xor": np.logical_xor,
}.items():  # fmt: skip
    _binary(_operator)(_function)

for _operator, _unary in {
    "Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt, "Floor": np.floor, "Ceil": np.ceil,
    "Exp": np.exp, "Log": np.log, "Reciprocal": np.reciprocal, "Not": np.logical_not,
    "Sign": np.sign, "Round": np.round,
}.items():  # fmt: skip
    folds(_operator)(lambda attributes, x, f=_unary: f(x))


@folds("Identity", "Dropout")
def _identity(attributes: Attributes, x: Array, *rest: Array) -> Array:
    return x


@folds("Pow")
def _power(attributes: Attributes, a: Array, b: Array) -> Array:
    return np.power(a.astype(np.float64), b).astype(a.dtype)


@folds("Mod")
def _mod(attributes: Attributes, a: Array, b: Array) -> Array:
    return np.fmod(a, b) if attributes.get("fmod") else np.mod(a, b)


@folds("Max")
def _max(attributes: Attributes, *arrays: Array) -> Array:
    return _reduced(np.maximum, arrays)


@folds("Min")
def _min(attributes: Attributes, *arrays: Array) -> Array:
    return _reduced(np.minimum, arrays)


@folds("Sum")
def _sum(attributes: Attributes, *arrays: Array) -> Array:
    return _reduced(np.add, arrays)


def _reduced(function: Any, arrays: Sequence[Array]) -> Array:
    result = arrays[0]
    for other in arrays[1:]:
        bounded(np.broadcast_shapes(result.shape, other.shape))
        result = function(result, other)
    return result


@folds("Cast")
def _cast(attributes: Attributes, x: Array) -> Array:
    if int(attributes["to"]) not in DTYPES:
        raise ValueError(f"a conversion to the data type {attributes['to']} of ONNX")
    return x.astype(DTYPES[int(attributes["to"])])


@folds("Where")
def _where(attributes: Attributes, condition: Array, a: Array, b: Array) -> Array:
    bounded(np.broadcast_shapes(condition.shape, a.shape, b.shape))
    return np.where(condition, a, b)


@folds("MatMul")
def _matmul(attributes: Attributes, a: Array, b: Array) -> Array:
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + (a.shape[-2:-1] + b.shape[-1:])
    bounded(shape)
    return np.matmul(a, b)


@folds("Clip")
def _clip(
    attributes: Attributes, x: Array, low: Array | None = None, high: Array | None = None
) -> Array:
    low = attributes.get("min") if low is None else low
    high = attributes.get("max") if high is None else high
    return x if low is None and high is None else np.clip(x, low, high)


def _reduction(function: Any) -> Fold:
    def reduced(attributes: Attributes, x: Array, axes: Array | None = None) -> Array:
        wanted = attributes.get("axes") if axes is None else axes
        if wanted is None and attributes.get("noop_with_empty_axes"):
            return x
        over = None if wanted is None or not np.size(wanted) else tuple(map(int, wanted))
        keep = bool(attributes.get("keepdims", 1))
        return np.asarray(function(x, axis=over, keepdims=keep)).astype(x.dtype)

    return reduced


for _operator, _reduce in {
    "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min,
    "ReduceMean": np.mean,
}.items():  # fmt: skip
    folds(_operator)(_reduction(_reduce))
