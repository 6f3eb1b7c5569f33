"""Products of matrices."""

from __future__ import annotations

import math
from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Fixed, Images, Layout

__all__ = ["product"]


@translates("aten.linear")
def _linear(call: Call) -> Images:
    x, weight, bias = call.images("input"), call.fixed("weight"), call.fixed("bias")
    assert weight is not None
    x.at(-1)  # which must not be the images'
    return call.made(_over_last(call, x, call.constant(weight), bias))


def _over_last(call: Call, x: Images, weight: str, bias: Fixed | None) -> str:
    """Say x·Wᵀ + b, of a weight (out, in)."""
    names = [] if bias is None else [call.constant(bias)]
    if len(x.sizes) == 1:
        return call.emit("Gemm", x.name, weight, *names, transB=1)
    made = call.emit("MatMul", x.name, call.emit("Transpose", weight, perm=[1, 0]))
    return call.emit("Add", made, *names) if names else made


@translates("aten.matmul", "aten.bmm", "aten.mm")
def _matmul(call: Call) -> Images:
    other = "other" if "other" in call.arguments else "mat2"
    return call.made(product(call, call["self"], call[other], call.layout()))


def product(call: Call, a: Any, b: Any, layout: Layout) -> str:
    """Say a product of matrices, of which others are the axes before the last two."""
    if isinstance(a, Images) and isinstance(b, Fixed) and _is_matrix(b, a.layout.rank):
        a.at(-1)
        weight = Fixed(b.tensor.flatten(0, -2).t(), b.name, b.trainable)
        return _over_last(call, a, call.constant(weight), None)
    names = []
    for value in (a, b):
        rank = value.layout.rank if isinstance(value, Images) else value.tensor.ndim
        if rank < 2:
            raise Unsupported("it multiplies a vector; matrices are read")
        if isinstance(value, Images):
            value.at(-1), value.at(-2)
        names.append(call.operand(value, layout))
    return call.emit("MatMul", *names)


def _is_matrix(value: Fixed, rank: int) -> bool:
    """Return whether a tensor is one matrix, for all axes before the last two of ``rank``."""
    return 2 <= value.tensor.ndim <= max(rank, 2) and math.prod(value.tensor.shape[:-2]) == 1


@translates("aten.addmm")
def _addmm(call: Call) -> Images:
    if (call["alpha"], call["beta"]) != (1, 1) or not isinstance(call["self"], Fixed):
        raise Unsupported("its factors alpha and beta are not 1, or its bias is not a weight")
    x, weight = call.images("mat1"), call.fixed("mat2")
    assert weight is not None
    x.at(-1)
    turned = Fixed(weight.tensor.t(), weight.name, weight.trainable)
    return call.made(_over_last(call, x, call.constant(turned), call["self"]))


@translates("aten.baddbmm")
def _baddbmm(call: Call) -> Images:
    layout = call.layout()
    made = product(call, call["batch1"], call["batch2"], layout)
    if call["alpha"] != 1:
        made = call.emit("Mul", made, call.constant(float(call["alpha"])))
    if call["beta"] == 0:
        return call.made(made)
    other = call.operand(call["self"], layout)
    if call["beta"] != 1:
        other = call.emit("Mul", other, call.constant(float(call["beta"])))
    return call.made(call.emit("Add", made, other))
