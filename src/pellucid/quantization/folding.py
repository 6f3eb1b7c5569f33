"""A network as a flat list of nodes in which batch norms are part of the layers before them.

    γ · (w·x + b - μ) / √(σ² + ε) + β = w'·x + b',   w' = w · g,   b' = (b - μ) · g + β

with g = γ / √(σ² + ε), one number for each filter or output. Of a trained network these are
constants. Source: Jacob et al. 2017, section 3.2.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from ..nn import BatchNorm2d, Conv2d, Layer, Linear, Node, walk
from ..nn.join import Join

__all__ = ["Folded", "folded"]


class Folded(NamedTuple):
    """A network as nodes, named by their paths, and the numbers of the values it returns."""

    nodes: list[Node]
    outputs: tuple[int, ...]


def folded(model: Layer) -> Folded:
    """Return copies of a network's layers as one flat graph, with batch norms folded.

    A batch norm is gone if it alone reads what a `Conv2d` or a `Linear` makes. The names are the
    layers' paths in ``model``, which is not changed.

    Examples
    --------
    >>> from pellucid import nn
    >>> block = nn.Sequential(conv=nn.Conv2d(3, 8, 3), norm=nn.BatchNorm2d(8), relu=nn.ReLU())
    >>> [(node.name, node.reads) for node in folded(nn.Sequential(block=block)).nodes]
    [('block.conv', (0,)), ('block.relu', (1,))]
    """
    given = walk.flattened(model)
    ends = walk.output_values(model)
    readings = Counter([*(k for node in given for k in node.reads), *ends])
    nodes: list[Node] = []
    number = {0: 0}  # of each value of the model, among those of the result
    for made, node in enumerate(given, 1):
        before = given[node.reads[0] - 1] if node.reads[0] else None
        if (
            before is not None
            and type(node.layer) is BatchNorm2d
            and type(before.layer) in (Conv2d, Linear)
            and readings[node.reads[0]] == 1
        ):
            place = number[node.reads[0]] - 1
            nodes[place] = nodes[place]._replace(layer=_with_norm(nodes[place].layer, node.layer))
            number[made] = place + 1
            continue
        layer = node.layer.apart() if isinstance(node.layer, Join) else copy.deepcopy(node.layer)
        layer.forget()
        nodes.append(Node(node.name, layer, tuple(number[k] for k in node.reads)))
        number[made] = len(nodes)
    return Folded(nodes, tuple(number[k] for k in ends))


def _with_norm(layer: Any, norm: BatchNorm2d) -> Layer:
    """Return a layer that also normalises its output, computed in float64."""
    gamma, beta, mean, var = (
        buffer.data.astype(np.float64)
        for buffer in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    gain = gamma / np.sqrt(var + norm.eps)
    bias = 0.0 if layer.bias is None else layer.bias.data.astype(np.float64)
    made: Any = type(layer)(**{**layer.config(), "bias": True, "weight_init": 0.0})
    w = layer.weight.data
    made.weight.data = (w * gain.reshape(-1, *(1,) * (w.ndim - 1))).astype(w.dtype)
    made.bias.data = ((bias - mean) * gain + beta).astype(w.dtype)
    return made.train(layer.training)
