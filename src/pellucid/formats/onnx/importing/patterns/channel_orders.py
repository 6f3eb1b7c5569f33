"""Convolutions of images whose channels were put in another order, as from RGB to BGR."""

from __future__ import annotations

import numpy as np

from ...operations import Operation
from .rewriting import Rewriting

__all__ = ["own_channel_orders"]


def own_channel_orders(network: Rewriting) -> None:
    """Let convolutions read the channels as they are, by filters in that order.

    Σ_k w[:, k] · x[order[k]] = Σ_c w'[:, c] · x[c] with w'[:, order[k]] = w[:, k].
    """
    for conv in network.each("Conv"):
        gather = network.maker(conv.inputs[0], "Gather")
        weight = network.constant(conv.inputs[1])
        if gather is None or weight is None or conv.attributes.get("group", 1) != 1:
            continue
        order = _order(network, gather, weight.shape[1])
        if order is not None:
            name = network.changed(conv.inputs[1], weight[:, np.argsort(order)])
            inputs = [gather.inputs[0], name, *conv.inputs[2:]]
            network.replace(conv, [], "Conv", inputs, **conv.attributes)


def _order(network: Rewriting, gather: Operation, channels: int) -> list[int] | None:
    """Return the channels that are taken one after another, if all are."""
    indices = network.constant(gather.inputs[1])
    if gather.attributes.get("axis", 0) != 1 or indices is None or indices.ndim != 1:
        return None
    order = [int(k) + channels * (k < 0) for k in indices]
    return order if sorted(order) == list(range(channels)) else None
