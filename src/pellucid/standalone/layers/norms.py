"""Normalizations."""

from __future__ import annotations

import numpy as np

from ... import nn
from ...typing import Shape
from ..calls import Call, becomes

__all__: list[str] = []


@becomes(nn.BatchNorm2d)
def _batch_norm(layer: nn.BatchNorm2d, shape: Shape) -> Call:
    arrays = {
        "weight": layer.weight,
        "bias": layer.bias,
        "running_mean": layer.running_mean,
        "running_var": layer.running_var,
    }
    return Call("batch_norm", arrays, {"eps": layer.eps})


@becomes(nn.GroupNorm)
def _group_norm(layer: nn.GroupNorm, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return Call("group_norm", arrays, {"groups": layer.num_groups, "eps": layer.eps})


@becomes(nn.InstanceNorm2d)
def _instance_norm(layer: nn.InstanceNorm2d, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return Call("group_norm", arrays, {"groups": layer.num_features, "eps": layer.eps})


@becomes(nn.LayerNorm)
def _layer_norm(layer: nn.LayerNorm, shape: Shape) -> Call:
    arrays = {"weight": layer.weight, "bias": layer.bias}
    return Call("layer_norm", arrays, {"axes": len(layer.normalized_shape), "eps": layer.eps})


@becomes(nn.LayerNorm2d)
def _layer_norm_2d(layer: nn.LayerNorm2d, shape: Shape) -> Call:
    return Call("layer_norm2d", {"weight": layer.weight, "bias": layer.bias}, {"eps": layer.eps})


@becomes(nn.LocalResponseNorm)
def _local_response_norm(layer: nn.LocalResponseNorm, shape: Shape) -> Call:
    names = ("size", "alpha", "beta", "k")
    return Call("local_response_norm", options={name: getattr(layer, name) for name in names})


@becomes(nn.Normalize)
def _normalize(layer: nn.Normalize, shape: Shape) -> Call:
    mean, std = (np.array(values).reshape(-1, 1, 1) for values in (layer.mean, layer.std))
    return Call("normalize", {"mean": mean, "std": std})
