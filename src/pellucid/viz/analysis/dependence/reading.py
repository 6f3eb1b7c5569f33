"""How a layer's output reads one input, in both directions; the registry by layer class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

import numpy as np

from ....errors import PellucidError
from ....nn import Layer
from ....nn.by_class import ByClass
from ....receptive import ReceptiveField
from ....typing import Array, Shape
from .axis import Axis

__all__ = ["Box", "Copies", "Reading", "readings", "reads_as"]

#: For each axis the first and the last index; they may lie outside the value, in padding.
Box: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Reading:
    """An output that reads an input axis by axis.

    The number at (o, i, j) reads the number at (c, h, w) if o reads c, i reads h and j reads w.

    Attributes
    ----------
    axes : tuple of Axis
        One for each axis of the input.
    kept : tuple of int, optional
        Which of these axes the output has; all by default. The others have one output cell.
    """

    axes: tuple[Axis, ...]
    kept: tuple[int, ...] | None = None

    def ahead(self, read: Array) -> Array:
        """Return which numbers of the output read one of those marked in ``read``, bool."""
        full: Array = np.ones([len(axis.cells) for axis in self.axes], bool)
        for a, axis in enumerate(self.axes):
            first = read.take([0], axis=a)
            if axis.reads_all:
                read = np.logical_or.reduce(read, axis=a, keepdims=True)
            elif (read == first).all():  # the same for each cell: those count that read any
                across = [-1 if k == a else 1 for k in range(len(self.axes))]
                full &= axis.reads_any().reshape(across)
                read = first
        for a, axis in enumerate(self.axes):
            if read.shape[a] > 1 and not axis.is_same:
                moved = np.moveaxis(read, a, 0).astype(np.float32)
                counts = np.tensordot(axis.matrix().astype(np.float32), moved, axes=1)
                read = np.moveaxis(counts > 0, 0, a)
        full &= read
        return full if self.kept is None else full.reshape([full.shape[a] for a in self.kept])

    def back(self, box: Box) -> Box | None:
        """Return the smallest box of the input that the outputs in ``box`` read; None: nothing."""
        if self.kept is not None:
            named = dict(zip(self.kept, box, strict=True))
            box = tuple(named.get(a, (0, 0)) for a in range(len(self.axes)))
        found = [axis.back(*both) for axis, both in zip(self.axes, box, strict=True)]
        return None if None in found else tuple(both for both in found if both is not None)

    def steps(self) -> tuple[int, ...]:
        """Return the distance between two cells that are read, along each axis."""
        return tuple(axis.step for axis in self.axes)

    def readers(self, unit: tuple[int, ...]) -> list[list[int]]:
        """Return, for each axis of the output, the cells that read the one of ``unit``."""
        found = [axis.readers(cell) for axis, cell in zip(self.axes, unit, strict=True)]
        return found if self.kept is None else [found[a] for a in self.kept]


@dataclass(frozen=True)
class Copies:
    """An output whose numbers are copies of numbers of the input, or constants.

    Attributes
    ----------
    source : integer array, shaped like the output
        The position of each number in the flat input; -1 for a constant.
    shape : tuple of int
        Of the input.
    """

    source: Array
    shape: Shape

    def ahead(self, read: Array) -> Array:
        """Return which numbers of the output are copies of those marked in ``read``, bool."""
        found: Array = np.append(read.reshape(-1), False)[self.source]
        return found

    def back(self, box: Box) -> Box | None:
        """Return the smallest box of the input that the outputs in ``box`` copy; None: nothing."""
        part = self.source[tuple(slice(max(a, 0), max(b + 1, 0)) for a, b in box)]
        part = part[part >= 0]
        if not part.size:
            return None
        places = np.unravel_index(part.reshape(-1), self.shape)
        return tuple((int(p.min()), int(p.max())) for p in places)

    def steps(self) -> tuple[int, ...]:
        """Return 1 for each axis of the input."""
        return (1,) * len(self.shape)

    def units(self, unit: tuple[int, ...]) -> Array:
        """Return the outputs (n, axes) that are copies of one number of the input."""
        return np.argwhere(self.source == np.ravel_multi_index(unit, self.shape))


Readings: TypeAlias = Sequence["Reading | Copies"]
Describe = Callable[[Layer, tuple[Shape, ...], Shape], Readings]
_BY_CLASS: ByClass[Callable[..., Readings]] = ByClass(
    "reads_as", "def my_layer(layer, input_shapes, output_shape)"
)
#: A decorator, ``@reads_as(MyLayer)``, of a function that returns one `Reading` for each input.
reads_as = _BY_CLASS.register


def readings(layer: Layer, shapes: tuple[Shape, ...]) -> Readings:
    """Return how a layer's output reads each of its inputs, of ``shapes`` without N.

    A layer that is not registered is described by its traits and its receptive field, and then as
    if it read all channels.

    Examples
    --------
    >>> from pellucid.nn import Conv2d
    >>> (reading,) = readings(Conv2d(4, 6, 3, padding=1, groups=2), ((4, 8, 8),))
    >>> reading.back(((3, 3), (0, 0), (5, 5)))
    ((2, 3), (-1, 1), (4, 6))
    """
    output = layer.output_shape(*shapes)
    describe = _BY_CLASS.of(layer)
    if describe is not None:
        return describe(layer, shapes, output)
    if layer.per_number and all(shape == output for shape in shapes):
        return [Reading(tuple(map(Axis.same, shape))) for shape in shapes]
    return [_by_field(layer, shapes, shape, output) for shape in shapes]


def _by_field(layer: Layer, shapes: tuple[Shape, ...], shape: Shape, output: Shape) -> Reading:
    """Return what the receptive field of one layer says, for any of its inputs."""
    field = ReceptiveField(everything=True)
    if len(shape) == len(output) == 3:
        with suppress(PellucidError):  # it has no answer for these images: the whole input
            field = layer.receptive_field(ReceptiveField(), *shapes)
    if not field.everything:
        channels = Axis.every(shape[0], output[0])
        return Reading((channels, *(_evenly(field, a, shape, output) for a in (0, 1))))
    if len(shape) == len(output):
        return Reading(tuple(map(Axis.every, shape, output)))
    flat = Axis.every(int(np.prod(shape)), int(np.prod(output)))
    return _Reshaped((flat,), None, shape, output)


def _evenly(field: ReceptiveField, a: int, shape: Shape, output: Shape) -> Axis:
    firsts = [field.start[a] + k * field.stride[a] for k in range(output[1 + a])]
    cells = [(floor(first), ceil(first + field.size[a]) - 1) for first in firsts]
    return Axis(cells, shape[1 + a], stride=Fraction(field.stride[a]))


@dataclass(frozen=True)
class _Reshaped(Reading):
    """A reading of everything, by a layer whose output has other axes than its input."""

    shape: Shape = ()
    output: Shape = ()

    def ahead(self, read: Array) -> Array:
        return np.full(self.output, bool(read.any()))

    def back(self, box: Box) -> Box | None:
        return tuple((0, size - 1) for size in self.shape)

    def steps(self) -> tuple[int, ...]:
        return (1,) * len(self.shape)

    def readers(self, unit: tuple[int, ...]) -> list[list[int]]:
        return [list(range(size)) for size in self.output]
