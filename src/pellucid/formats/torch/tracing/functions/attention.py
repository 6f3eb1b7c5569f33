"""Attention: softmax(Q·Kᵀ / √d + mask) · V."""

from __future__ import annotations

import math

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Fixed, Images
from .products import product

__all__: list[str] = []


@translates("aten.scaled_dot_product_attention")
def _attention(call: Call) -> Images:
    query, key, value = (call.images(name) for name in ("query", "key", "value"))
    if call["enable_gqa"]:
        raise Unsupported("several of its queries share a key (enable_gqa)")
    layout = query.layout
    if not layout.place(-1) == len(layout.sizes) - 1 == layout.place(-2) + 1:
        raise Unsupported("its last two axes are not those of the matrices")
    columns = key.sizes[-2]
    scores_layout = layout._replace(sizes=(*layout.sizes[:-1], columns))
    if not key.layout.meets(layout):
        raise Unsupported("its queries and keys have the images along different axes")
    rank = len(key.sizes) + 1
    turned = call.emit("Transpose", key.name, perm=[*range(rank - 2), rank - 1, rank - 2])
    scale = call["scale"] if call["scale"] is not None else 1 / math.sqrt(query.sizes[-1])
    scaled = call.emit("Mul", query.name, call.constant(float(scale)))
    scores = call.emit("MatMul", scaled, turned)
    mask = _mask(call, query.sizes[-2], columns)
    if mask is not None:
        scores = call.emit("Add", scores, call.operand(mask, scores_layout))
    weights = Images(call.emit("Softmax", scores, axis=-1), scores_layout)
    return call.made(product(call, weights, value, call.layout()))


def _mask(call: Call, rows: int, columns: int) -> Images | Fixed | None:
    """Return what is added to the scores: -∞ where a mask says False, and after each place."""
    import torch

    mask = call["attn_mask"]
    if call["is_causal"]:
        mask = Fixed(torch.ones(rows, columns, dtype=torch.bool).tril())
    if isinstance(mask, Fixed) and mask.tensor.dtype == torch.bool:
        zeros = torch.zeros(mask.tensor.shape)
        return Fixed(zeros.masked_fill(~mask.tensor.cpu(), -math.inf))
    return mask
