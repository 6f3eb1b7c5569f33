"""Normalizations."""

from __future__ import annotations

import numpy as np

from .....nn import (
    BatchNorm2d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    LocalResponseNorm,
    Reshape,
)
from .....typing import Array
from ..node import Reading, holding
from ..registry import Unsupported, reads
from ..values import Image

__all__: list[str] = []

_TRAINING = "Export the network in evaluation mode: model.eval()."


@reads("BatchNormalization")
def _batch_norm(node: Reading) -> Image:
    """Convert to a batch norm that trains further: its running averages are the file's."""
    if node.attribute("training_mode", 0):
        raise Unsupported("its attribute training_mode is 1", _TRAINING)
    node.require("spatial", 1)
    node.single_output()
    x = node.image()
    channels = x.shape[0]
    momentum = round(1 - float(node.attribute("momentum", 0.9)), 7)  # digits of float32
    layer = BatchNorm2d(channels, float(node.attribute("epsilon", 1e-5)), momentum)
    holding(
        layer, weight=node.weight(1), bias=node.weight(2), running_mean=node.weight(3),
        running_var=node.weight(4), num_batches_tracked=np.zeros(()),
    )  # fmt: skip
    if len(x.shape) in (1, 3):
        return node.add(layer, x)
    rows = node.add(Reshape(channels, 1, x.size // channels), x, part="image")
    return node.add(Reshape(x.shape), node.add(layer, rows), part="shaped")


@reads("InstanceNormalization")
def _instance_norm(node: Reading) -> Image:
    epsilon = float(node.attribute("epsilon", 1e-5))
    x = node.image()
    layer = holding(
        InstanceNorm2d(x.shape[0], epsilon, affine=True),
        weight=node.weight(1), bias=node.weight(2),
    )  # fmt: skip
    if len(x.shape) == 3:
        return node.add(layer, x)
    rows = node.add(Reshape(x.shape[0], 1, x.size // x.shape[0]), x, part="image")
    return node.add(Reshape(x.shape), node.add(layer, rows), part="shaped")


@reads("GroupNormalization")
def _group_norm(node: Reading) -> Image:
    """Convert; before opset 21 scale and bias are one number a group, later one a channel."""
    groups = int(node.attribute("num_groups"))
    node.require("stash_type", 1)
    x = node.image()
    channels = x.shape[0]
    scale, bias = node.weight(1).array, node.weight(2).array
    if node.opset < 21 and scale.shape == (groups,) and channels % groups == 0:
        scale, bias = (np.repeat(array, channels // groups) for array in (scale, bias))
    layer = GroupNorm(groups, channels, float(node.attribute("epsilon", 1e-5)))
    holding(layer, weight=scale, bias=bias)
    if len(x.shape) in (1, 3):
        return node.add(layer, x)
    rows = node.add(Reshape(channels, 1, x.size // channels), x, part="image")
    return node.add(Reshape(x.shape), node.add(layer, rows), part="shaped")


@reads("LayerNormalization")
def _layer_norm(node: Reading) -> Image:
    node.require("stash_type", 1)
    node.single_output()
    x = node.image()
    axis = node.axis(int(node.attribute("axis", -1)), x.rank)
    shape = x.shape[axis - 1 :]
    weight, bias = node.weight(1).array, node.known(2)
    weight = _broadcast(weight, shape)
    bias = np.zeros(shape) if bias is None else _broadcast(bias, shape)
    layer = LayerNorm(shape, float(node.attribute("epsilon", 1e-5)))
    return node.add(holding(layer, weight=weight, bias=bias), x)


def _broadcast(array: Array, shape: tuple[int, ...]) -> Array:
    """Return an array like a normalized part; axes of length 1 may stand before it."""
    more = max(array.ndim - len(shape), 0)
    return np.broadcast_to(array.reshape(array.shape[more:]), shape)


@reads("LayerNormOfChannels", domain="pellucid")
def _layer_norm_of_channels(node: Reading) -> Image:
    """Convert what `patterns` makes of a LayerNormalization between two transpositions."""
    from .....nn import LayerNorm2d

    x = node.image()
    layer = LayerNorm2d(x.shape[0], float(node.attribute("epsilon")))
    return node.add(holding(layer, weight=node.weight(1), bias=node.weight(2)), x)


@reads("LRN")
def _local_response(node: Reading) -> Image:
    size = int(node.attribute("size"))
    alpha, beta, k = (
        float(node.attribute(name, value))
        for name, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    if size % 2 == 0:
        raise Unsupported(f"its attribute size is {size}; an odd number of channels is read")
    return node.add(LocalResponseNorm(size, alpha, beta, k), node.image())
