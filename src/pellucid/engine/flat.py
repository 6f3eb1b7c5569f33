"""All parameters of a model in one flat array, likewise their gradients and optimizer memory.

An optimizer's step is then one launch, a norm one pass, and a message between processes one array.
Each parameter starts at a cache line, as in a separate array:

>>> import numpy as np
>>> from pellucid.nn import Parameter
>>> w, b = (Parameter(np.full(n, n, dtype=np.float32)) for n in (3, 2))
>>> flat = flat_weights([w, b])
>>> flat.whole.size, flat.layout.starts
(32, (0, 16))
>>> w.data[:] = 5
>>> flat.whole[:4]
array([5., 5., 5., 0.], dtype=float32)
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from operator import attrgetter, is_
from typing import NamedTuple

import numpy as np

from ..memory import aligned_zeros
from ..nn import Parameter
from ..optim.clipping import block_bounds
from ..typing import Array, Shape

__all__ = ["FlatWeights", "Layout", "flat_weights", "weights_of"]

FLOAT = np.dtype(np.float32)
LINE = 16  # float32 numbers of a cache line

_data = attrgetter("data")


class Layout(NamedTuple):
    """Offsets of arrays of these shapes in a flat one, and its size, in numbers."""

    shapes: tuple[Shape, ...]
    starts: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Layout:
        """Return the layout of consecutive arrays of these shapes, each aligned."""
        starts, end = [], 0
        for shape in shapes:
            starts.append(end)
            end += -(-math.prod(shape) // LINE) * LINE
        return cls(tuple(shapes), tuple(starts), end)

    def views(self, whole: Array) -> list[Array]:
        """Return the arrays as views of ``whole``."""
        return [
            whole[start : start + math.prod(shape)].reshape(shape)
            for start, shape in zip(self.starts, self.shapes, strict=True)
        ]

    def span(self, first: int, last: int) -> slice:
        """Return the slice of the arrays from number ``first`` to number ``last``."""
        return slice(self.starts[first], self.starts[last] + math.prod(self.shapes[last]))


class FlatWeights:
    """One array that the data of several parameters are views of.

    Attributes
    ----------
    whole : float32 array (size,)
    layout : Layout
    views : list of array
        The ``data`` of each parameter.
    number : dict of int to int
        The index of a parameter in these lists, by its id.
    gradients : (array, list of array) or None
        The gradients of a plan's last backward, in the same layout, and their views.
    """

    def __init__(
        self, parameters: Sequence[Parameter], zeros: Callable[[int], Array] = aligned_zeros
    ) -> None:
        self.layout = Layout.of([p.data.shape for p in parameters])
        self.whole = zeros(self.layout.size)
        self.views = self.layout.views(self.whole)
        self.number = {id(p): k for k, p in enumerate(parameters)}
        self.gradients: tuple[Array, list[Array]] | None = None
        for p, view in zip(parameters, self.views, strict=True):
            view[...] = p.data

    @cached_property
    def blocks(self) -> Array:
        """The bounds of blocks of the parameters: `pellucid.optim.clipping.block_bounds`."""
        return block_bounds(self.layout.starts, list(map(math.prod, self.layout.shapes)))

    def hold(self, parameters: Sequence[Parameter]) -> bool:
        """Return whether exactly these parameters are views of the array."""
        same = len(parameters) == len(self.views)
        return same and all(map(is_, map(_data, parameters), self.views))


_found: weakref.WeakKeyDictionary[Parameter, FlatWeights] = weakref.WeakKeyDictionary()


def weights_of(parameter: Parameter) -> FlatWeights | None:
    """Return the flat array that a parameter was last moved to, or None."""
    return _found.get(parameter)


def flat_weights(
    parameters: Sequence[Parameter], zeros: Callable[[int], Array] = aligned_zeros
) -> FlatWeights | None:
    """Return the flat array of the parameters, moving them to a new one if there is none.

    Moving replaces their ``data`` by views with equal numbers. None if they cannot be moved: if one
    is not float32, is read-only, or shares memory with another.
    """
    if not parameters:
        return None
    found = _found.get(parameters[0])
    if found is not None and found.hold(parameters):
        return found
    if not _movable(parameters):
        return None
    made = FlatWeights(parameters, zeros)  # never an old one, which others may still use
    for p, view in zip(parameters, made.views, strict=True):
        p.data = view
    _found.update(dict.fromkeys(parameters, made))
    return made


def _movable(parameters: Sequence[Parameter]) -> bool:
    arrays = [p.data for p in parameters]
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype != FLOAT or not a.flags.writeable:
            return False
    bounds = sorted(np.lib.array_utils.byte_bounds(a) for a in arrays if a.size)
    return all(end <= begin for (_, end), (begin, _) in pairwise(bounds))
