"""Products of matrices: Gemm and MatMul."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .....nn import Add, ChannelLinear, Linear, MatMul, Permute
from .....typing import Array
from ..node import MIXES, Reading, holding
from ..registry import Unsupported, reads
from ..values import Image, Known
from .arithmetic import scaled
from .layout import reshaped

__all__ = ["linear"]


@reads("Gemm")
def _gemm(node: Reading) -> Image:
    """Convert α·A·B + β·C with rows A (N, in)."""
    alpha, beta = (float(node.attribute(name, 1.0)) for name in ("alpha", "beta"))
    transposed = bool(node.attribute("transB", 0))
    if node.attribute("transA", 0):
        raise Unsupported(
            "its attribute transA is 1, and turns the images into columns; 0 is read",
            "Let the images be the rows of A.",
        )
    x, b = node.image(0), node.weight(1)
    if b.array.ndim != 2 or len(x.shape) != 1:
        raise Unsupported(
            f"its inputs have the shapes (N, {', '.join(map(str, x.shape))}) and {b.array.shape}; "
            "two matrices are read"
        )
    weight = b.array if transposed else b.array.T
    if alpha != 1:
        weight = weight * np.float32(alpha)
    if not node.given(2):
        return linear(node, x, weight, None)
    if isinstance(node.value(2), Image):
        product = linear(node, x, weight, None)
        other = scaled(node, node.image(2), Known.of(np.asarray(beta)), part="beta")
        return node.add(Add(broadcast=other.shape != product.shape), product, other, part="sum")
    c = node.weight(2).array
    rows = c if c.ndim < 2 else c[0]
    if c.ndim > 2 or (c.ndim == 2 and not (c == c[:1]).all()):
        raise Unsupported(f"its C of shape {c.shape} differs from image to image")
    bias = np.broadcast_to(rows, (len(weight),))
    return linear(node, x, weight, bias if beta == 1 else bias * np.float32(beta))


@reads("Linear", domain="pellucid")
def _linear(node: Reading) -> Image:
    """Convert what `patterns` makes of MatMul and Add: x·W + b."""
    return linear(node, node.image(), node.weight(1).array.T, node.weight(2).array)


@reads("MatMul")
def _matmul(node: Reading) -> Image:
    a, b = (node.value(k, merged=True) for k in (0, 1))
    if isinstance(a, Image) and isinstance(b, Image):
        if a.merged or b.merged:
            return _of_merged(node, a, b)
        return node.add(MatMul(), a, b)
    a, b = node.value(0), node.value(1)
    if isinstance(a, Image) and node.weight(1).array.ndim == 1:
        column = linear(node, a, node.weight(1).array[None], None)
        return reshaped(node, column, column.shape[:-1], part="row")
    if isinstance(a, Image):
        return linear(node, a, _matrix(node, 1).T, None)
    x = node.image(1)
    if len(x.shape) < 2:
        raise Unsupported("its first input is a constant, and its second has the images as rows")
    # A·X = (Xᵀ·Aᵀ)ᵀ
    swap = Permute(*range(x.rank - 2), x.rank - 1, x.rank - 2)
    columns = linear(node, node.add(swap, x, part="columns"), _matrix(node, 0), None)
    back = Permute(*range(x.rank - 2), x.rank - 1, x.rank - 2)
    return node.add(back, columns, part="rows")


def _of_merged(node: Reading, a: Image, b: Image) -> Image:
    """Add the products of matrices (N·H, I, J) and (N·H, J, K), as attention with H heads has."""
    if not (a.merged and b.merged) or a.shape[0] != b.shape[0] or min(a.rank, b.rank) < 3:
        raise Unsupported(f"N and another axis are one axis of its inputs: {MIXES}")
    return replace(node.add(MatMul(), a, b), merged=True)


def _matrix(node: Reading, k: int) -> Array:
    array = node.weight(k).array
    if array.ndim < 2 or math.prod(array.shape[:-2]) != 1:
        raise Unsupported(f"its constant has the shape {array.shape}; one matrix is read")
    return array.reshape(array.shape[-2:])


def linear(node: Reading, x: Image, weight: Array, bias: Array | None) -> Image:
    """Add a `Linear` over the last axis; ``weight`` is (out, in)."""
    out, into = weight.shape
    if not x.shape:
        raise Unsupported("its images are single numbers; rows (N, in) are read")
    layer = Linear(into, out, bias=bias is not None)
    return node.add(holding(layer, weight=weight, bias=bias), x)


@reads("ChannelLinear", domain="pellucid")
def _channel_linear(node: Reading) -> Image:
    """Convert what `patterns` makes of x·W + b over channels between two transpositions."""
    weight, bias = node.weight(1).array.T, node.known(2)
    layer = ChannelLinear(weight.shape[1], len(weight), bias=bias is not None)
    return node.add(holding(layer, weight=weight, bias=bias), node.image())
