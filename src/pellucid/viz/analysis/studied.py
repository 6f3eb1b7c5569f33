"""A layer taken out of its network, and the derivatives of its output at given numbers."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from ...nn import Layer
from ...typing import Array

__all__ = ["Studied", "copied"]

# Numbers that the copies of the inputs and outputs in one batch of unit gradients may have.
BATCH_NUMBERS = 1 << 22
# A join that ends a container caches in the container: its copy has a cache of its own.
BORROWED = ("remember", "recall")


def copied(layer: Layer) -> Layer:
    """Return a copy of a layer in evaluation mode that shares its arrays, and nothing else.

    Modes, caches and gradients are the copy's own: the layer may be in use in another thread, in
    training even.

    Examples
    --------
    >>> from pellucid.nn import Linear
    >>> layer = Linear(2, 3)
    >>> twin = copied(layer)
    >>> twin.weight.data is layer.weight.data, twin.weight is layer.weight, twin.training
    (True, False, False)
    """
    shared: list[object] = [inner._memory for _, inner in layer.layers()]
    for buffer in layer.buffers().values():
        shared += [buffer.data, getattr(buffer, "grad", None)]
    shared += [vars(layer).get(name) for name in BORROWED]
    twin = copy.deepcopy(layer, {id(one): one for one in shared if one is not None})
    for name in BORROWED:
        vars(twin).pop(name, None)
    for _, inner in twin.layers():
        inner._memory = None
    for parameter in twin.parameters().values():
        parameter.grad = None
    return twin.eval()


class Studied:
    """A copy of a layer, with the inputs of one image.

    Parameters
    ----------
    layer : Layer
    inputs : sequence of arrays
        What it reads, each without N.

    Examples
    --------
    >>> from pellucid.nn import ReLU
    >>> relu = Studied(ReLU(), [np.array([1.0, -2.0, 3.0])])
    >>> relu.back(np.array([5.0, 6.0, 7.0]))[0]
    array([5., 0., 7.])
    >>> relu.row((2,))[0]
    array([0., 0., 1.])
    """

    def __init__(self, layer: Layer, inputs: Sequence[Array]) -> None:
        self.layer, self.inputs = copied(layer), [np.asarray(x) for x in inputs]

    def back(self, dy: Array) -> tuple[Array, ...]:
        """Return the gradient of each input for ``dy``; the parameters' are in ``grad``."""
        self.layer.forward(*(x[None] for x in self.inputs))
        dx = self.layer.backward(np.ascontiguousarray(dy[None]))
        self.layer.forget()
        return tuple(np.asarray(part)[0] for part in (dx if isinstance(dx, tuple) else (dx,)))

    def row(self, unit: tuple[int, ...]) -> tuple[Array, ...]:
        """Return ``∂y[unit]/∂x`` for each input: what backward makes of a one at the unit."""
        shape = self.layer.output_shape(*(x.shape for x in self.inputs))
        one = np.zeros(shape, self._dtype)
        one[unit] = 1
        return self.back(one)

    def column(self, which: int, unit: tuple[int, ...], outputs: Array) -> Array:
        """Return ``∂y[o]/∂x[unit]`` of input ``which`` for each unit o of ``outputs`` (n, axes).

        Each is an image of a batch, whose gradient is a one at that unit.
        """
        inputs = self.inputs
        if self.layer.per_pixel and len(unit) == 3:  # all other pixels are without influence
            i, j = unit[1:]
            inputs = [x[:, i : i + 1, j : j + 1] for x in inputs]
            unit, outputs = (unit[0], 0, 0), outputs * np.array([1, 0, 0])
        shape = self.layer.output_shape(*(x.shape for x in inputs))
        size = sum(x.size for x in inputs) + int(np.prod(shape))
        chunk = max(1, BATCH_NUMBERS // max(1, size))
        found = np.empty(len(outputs), self._dtype)
        for start in range(0, len(outputs), chunk):
            part = outputs[start : start + chunk]
            dy = np.zeros((len(part), *shape), self._dtype)
            dy[(np.arange(len(part)), *part.T)] = 1
            self.layer.forward(*(np.repeat(x[None], len(part), axis=0) for x in inputs))
            dx = self.layer.backward(dy)
            one = dx[which] if isinstance(dx, tuple) else dx
            found[start : start + chunk] = np.moveaxis(one, 0, -1)[unit]
        self.layer.forget()
        return found

    def column_cost(self, outputs: int) -> int:
        """Return how many numbers `column` would go through for so many outputs."""
        if self.layer.per_pixel and self.inputs[0].ndim == 3:
            return outputs * sum(len(x) for x in self.inputs)
        return outputs * sum(x.size for x in self.inputs)

    @property
    def _dtype(self) -> np.dtype[np.floating]:
        return np.result_type(*self.inputs, np.float32)
