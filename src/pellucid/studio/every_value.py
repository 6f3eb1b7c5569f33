"""A model that returns the value of each of its nodes, so that an engine computes all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..nn import Layer, walk
from ..typing import Array, Shape

__all__ = ["EveryValue"]


class EveryValue(Layer):
    """The same layers as ``model``, with the value of each node of `walk.flattened` as an output.

    Values that a plan would not write, as what a convolution hands to the ReLU that is computed
    with it, are then there to be looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.models import SimpleConvNet
    >>> every = EveryValue(SimpleConvNet((1, 8, 8)))
    >>> [y.shape[1:] for y in every(np.zeros((1, 1, 8, 8), np.float32))][:3]
    [(30, 4, 4), (30, 4, 4), (30, 2, 2)]
    """

    def __init__(self, model: Layer) -> None:
        self.flat = walk.flattened(model)
        self.output_names = tuple(str(k) for k in range(1, len(self.flat) + 1))
        self.input_shape = model.input_shape
        vars(self)["_model"] = model  # not as an attribute: its name would become another

    def nodes(self) -> list[walk.Node]:
        """Return the nodes of the model, flattened."""
        return self.flat

    def ends(self) -> tuple[int, ...]:
        """Return the numbers of all values."""
        return tuple(range(1, len(self.flat) + 1))

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the model."""
        yield "model", vars(self)["_model"]

    def output_shape(self, input_shape: Shape) -> Any:
        """Return the shape of each value."""
        return tuple(made for _, _, made in walk.shapes(self.flat, input_shape))

    def forward(self, x: Array) -> Any:
        """Return every value."""
        return walk.forward(self.flat, x, self.ends())

    def backward(self, dy: Any) -> Array:
        """Return the gradient of the input, for a tuple of gradients of the values."""
        return walk.backward(self.flat, dy, self.ends())
