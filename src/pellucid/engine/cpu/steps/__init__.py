"""One step for each kind of layer; each module registers its steps when it is imported."""

from . import (
    activations,
    channel_linear,
    conv,
    join,
    layer_norm,
    layout,
    linear,
    norm,
    plain,
    pointwise,
    pool,
    product,
    response,
    scaling,
    stochastic_depth,
)

__all__ = [
    "activations",
    "channel_linear",
    "conv",
    "join",
    "layer_norm",
    "layout",
    "linear",
    "norm",
    "plain",
    "pointwise",
    "pool",
    "product",
    "response",
    "scaling",
    "stochastic_depth",
]
