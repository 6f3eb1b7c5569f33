"""The fully connected layer, and the flattening before it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops.checks import require_real, require_shape
from ..ops.linear import require_features
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .checks import require_count
from .init import WeightInit, constant, initial_weights
from .layer import Layer
from .parameter import Parameter
from .pattern_words import Argument, PatternWord

__all__ = ["Flatten", "Linear"]


class Linear(Layer):
    """Connect every input with every output (the book's Affine).

        y[n,o] = b[o] + Σ_i w[o,i] · x[n,i]

    Input (N, in), output (N, out). Gradients: ``dx = dy·w``, ``dw = dyᵀ·x``, ``db = Σ_n dy``.
    Of more axes, (N, ..., in), it takes the last one: each row along it is mapped alone.
    Source: "Deep Learning from Scratch", section 5.6.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether to add a learned bias to each output.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`. The bias starts at 0.
    rng : numpy.random.Generator
        Draws them.

    Attributes
    ----------
    weight : Parameter (out, in)
    bias : Parameter (out,), or None

    Examples
    --------
    >>> linear = Linear(4320, 100, rng=np.random.default_rng(0))
    >>> linear(np.zeros((7, 4320), dtype=np.float32)).shape, linear.parameter_count()
    ((7, 100), 432100)
    """

    one_size = True
    short_name = "linear"
    pattern_word = PatternWord(
        "FC",
        (Argument("out_features", meaning="outputs"),),
        channels="in_features",
        takes="rows",
        example="FC128",
        also=("LINEAR", "AFFINE", "DENSE"),
    )

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_features = require_count(in_features, "in_features")
        self.out_features = require_count(out_features, "out_features")
        self.weight_init = weight_init
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(initial_weights(shape, weight_init, rng))
        zeros = constant((self.out_features,), 0)
        self.bias = Parameter(zeros, decay=0.0) if bias else None

    def forward(self, x: Array) -> Array:
        """Return ``x·wᵀ + b`` (N, ..., out) for ``x`` (N, ..., in)."""
        self.remember(x)
        return ops.linear(x, self.weight.data, None if self.bias is None else self.bias.data)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, ..., in) for ``dy`` (N, ..., out)."""
        (x,) = self.recall()
        dx, self.weight.grad, db = ops.linear_backward(dy, x, self.weight.data)
        if self.bias is not None:
            self.bias.grad = db
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out,), or (..., out) of more axes."""
        require_features(input_shape, self.in_features)
        return *input_shape[:-1], self.out_features

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``in·out``, for each row of an image."""
        return math.prod(input_shape[:-1]) * self.in_features * self.out_features

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return a field of the whole input."""
        return replace(field, everything=True)


class Flatten(Layer):
    """Flatten each image to a row: (N, C, H, W) to (N, C·H·W); backward restores the shape.

    Examples
    --------
    >>> Flatten()(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """

    one_size = True
    short_name = "flatten"

    def forward(self, x: Array) -> Array:
        """Return ``x`` as (N, -1)."""
        require_real(x, "flatten")
        if not x.ndim:
            raise ShapeError("expects (N, ...), received a single number.", where="flatten")
        self.remember(x.shape)
        return x.reshape(len(x), *self.output_shape(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` in the shape of the input."""
        (shape,) = self.recall()
        rows = (shape[0], math.prod(shape[1:]))
        require_real(dy, "flatten", "dy")
        require_shape(dy, rows, "an output gradient", "(N, C·H·W)", "flatten")
        return dy.reshape(shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C·H·W,)."""
        return (math.prod(input_shape),)
