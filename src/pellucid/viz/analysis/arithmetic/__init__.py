"""The arithmetic of one unit: every number that its number is computed from, and how.

`arithmetic` explains a unit of any layer; each module registers the layers it explains. An
explanation of your own layer:

>>> import numpy as np
>>> from pellucid import nn
>>> class Square(nn.Layer):
...     per_number = True
...
...     def forward(self, x):
...         return x * x
>>> @explains(Square)
... def square(layer, at):
...     return at.function("y = x · x", np.square)
>>> x = np.float32([[1, 3]])
>>> arithmetic(Square(), [x[0]], Square()(x)[0], [1]).as_dict()["parts"][0]["result"]
9.0
"""

from __future__ import annotations

from . import connected, joins, lenet, moves, norms, pointwise, pools, reductions
from .boxes import Box, Span, window_box
from .explaining import Explained, Place, arithmetic, explains
from .parts import (
    Arithmetic,
    Copy,
    Factors,
    Formula,
    Im2col,
    Number,
    Part,
    Products,
    Reading,
    Reduction,
    Terms,
)

__all__ = [
    "Arithmetic",
    "Box",
    "Copy",
    "Explained",
    "Factors",
    "Formula",
    "Im2col",
    "Number",
    "Part",
    "Place",
    "Products",
    "Reading",
    "Reduction",
    "Span",
    "Terms",
    "arithmetic",
    "connected",
    "explains",
    "joins",
    "lenet",
    "moves",
    "norms",
    "pointwise",
    "pools",
    "reductions",
    "window_box",
]
