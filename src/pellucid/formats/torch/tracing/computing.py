"""Compute what a module makes of its weights and buffers, before it meets the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ....typing import Array
from ...onnx.importing.registry import Unsupported
from .functions import SHAPES
from .in_place import writes
from .nodes import function_of, grows, is_tensor
from .values import BATCH, Fixed, layout_of

__all__ = ["array_of", "computed"]

# What makes the same for each image of N, and may be told how many there are.
_REPEATS = {
    "aten.expand", "aten.expand_as", "aten.zeros", "aten.ones", "aten.full", "aten.new_zeros",
    "aten.new_ones", "aten.new_full", "aten.zeros_like", "aten.ones_like", "aten.repeat",
}  # fmt: skip
# What leaves a parameter one: it is trained as it was.
_REARRANGES = {
    "aten.view", "aten.reshape", "aten.unsqueeze", "aten.squeeze", "aten.permute", "aten.flatten",
    "aten.transpose", "aten.t", "aten.expand", "aten.expand_as", "aten.contiguous", "aten.clone",
    "aten.to", "aten._to_copy", "aten.unflatten", "aten.movedim", "aten.dropout", "aten.alias",
    "aten.view_as",
}  # fmt: skip


def computed(node: Any, values: Mapping[Any, Any], arguments: Mapping[str, Any]) -> Any:
    """Return what a function makes of values that do not depend on the images.

    Where the number of images occurs in a shape, the length is `BATCH`.
    """
    import torch

    name = function_of(node)
    inputs = node.all_input_nodes
    told = any(not is_tensor(each.meta.get("val")) for each in inputs)
    if (told and name not in _REPEATS | SHAPES) or _is_length(arguments.get("fill_value")):
        raise Unsupported("it computes with the number of images")
    if any(grows(each.meta.get("val")) for each in inputs) and not grows(node.meta["val"]):
        raise Unsupported("it adds up over the number of images")

    def value(each: Any) -> Any:
        known = values[each]
        return known.tensor if isinstance(known, Fixed) else _of_a_batch(known)

    args = torch.fx.node.map_arg(node.args, value)
    if writes(node):
        args = (args[0].clone(), *args[1:])  # the module keeps its own
    kwargs = torch.fx.node.map_arg(node.kwargs, value)
    with torch.no_grad():
        made = node.target(*args, **kwargs)
    traced = node.meta["val"]
    if isinstance(made, tuple | list):
        return [Fixed(y, layout=layout_of(t.shape)) for y, t in zip(made, traced, strict=True)]
    first = next((values[each] for each in inputs), None)
    layout = layout_of(traced.shape)
    if name in _REARRANGES and isinstance(first, Fixed):
        return Fixed(made, first.name, first.trainable, layout)
    return Fixed(made, layout=layout)


def _of_a_batch(value: Any) -> Any:
    """Return a length at `BATCH` images; other values as they are."""
    if not _is_length(value):
        return value
    node = value.node
    return int(node.expr.subs(dict.fromkeys(node.expr.free_symbols, BATCH)))


def _is_length(value: Any) -> bool:
    """Return whether a value is a length that depends on N."""
    return hasattr(getattr(value, "node", None), "expr")


def array_of(tensor: Any) -> Array:
    """Return a tensor as an array that NumPy knows; floating-point numbers as float32."""
    import torch

    tensor = tensor.detach().cpu()
    if tensor.dtype.is_floating_point:
        tensor = tensor.to(torch.float32)
    return np.array(tensor.numpy())
