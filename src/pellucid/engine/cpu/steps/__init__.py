"""One step for each kind of layer; each module registers its steps when it is imported."""

from . import (
    conv,
    join,
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
    "conv",
    "join",
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
