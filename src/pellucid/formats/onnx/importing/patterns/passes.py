"""The order in which patterns are looked for."""

from __future__ import annotations

from ...operations import Operations
from .biases import own_biases
from .channel_orders import own_channel_orders
from .channels_last import channels_first
from .folded_norms import folded_norms
from .functions import whole_functions
from .group_norms import group_norms
from .norms import whole_norms
from .rewriting import Rewriting

__all__ = ["rewritten"]


def rewritten(operations: Operations, *, fold: bool) -> Operations:
    """Return a network with whole functions in place of their parts.

    Parameters
    ----------
    operations : Operations
    fold : bool
        Whether batch norms become part of the convolutions before them.
    """
    network = Rewriting(operations)
    whole_norms(network)
    group_norms(network)
    whole_functions(network)
    own_biases(network)
    channels_first(network)
    own_channel_orders(network)
    if fold:
        folded_norms(network)
    return network.result()
