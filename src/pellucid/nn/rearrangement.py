"""Layers that only move numbers: another shape, another order of axes, a part of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_real, require_shape
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .layer import Layer

__all__ = ["Permute", "Reshape", "Slice"]


class _Rearrangement(Layer):
    """Base class: remembers the input's shape, and refuses other gradients than the output's."""

    def _arranged(self, x: Array) -> Array:
        """Return the output for ``x``."""
        raise NotImplementedError

    def _restored(self, dy: Array, shape: Shape) -> Array:
        """Return the gradient of an input of this ``shape``, N included."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """Return the output for ``x`` (N, ...)."""
        where = type(self).__name__
        require_real(x, where)
        if not x.ndim:
            raise ShapeError("expects (N, ...), received a single number.", where=where)
        required = (len(x), *self.output_shape(x.shape[1:]))
        self.remember(x.shape, required)
        return self._arranged(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` where its numbers came from."""
        shape, required = self.recall()
        require_real(dy, type(self).__name__, "dy")
        require_shape(dy, required, "an output gradient", "like the output", type(self).__name__)
        return self._restored(dy, shape)


class Reshape(_Rearrangement):
    """Give each image another shape; the order of its numbers, (C, H, W), stays.

    Parameters
    ----------
    shape : int or sequence of int
        The new shape without N; one length may be -1, and follows from the others. Also as several
        arguments: ``Reshape(16, -1)``.

    Raises
    ------
    ShapeError
        From `output_shape` and forward, if the numbers do not fill the shape.

    Examples
    --------
    >>> Reshape(2, -1, 4, 4).output_shape((6, 4, 4))
    (2, 3, 4, 4)
    """

    one_size = True
    short_name = "reshape"

    def __init__(self, shape: int | Sequence[int], *more: int) -> None:
        sizes = (*(shape if isinstance(shape, Sequence) else (shape,)), *more)
        if (
            not all(map(_is_integer, sizes))
            or any(size < 1 and size != -1 for size in sizes)
            or sizes.count(-1) > 1
        ):
            raise ArgumentError(
                "must be lengths of at least 1, without that of the batch; one may be -1. "
                f"Received {sizes!r}.",
                where="shape",
            )
        self.shape = tuple(int(size) for size in sizes)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with the length that follows."""
        numbers, known = math.prod(input_shape), math.prod(s for s in self.shape if s > 0)
        free = -1 in self.shape
        if numbers % known if free else numbers != known:
            raise ShapeError(
                f"cannot give the {numbers} numbers of shape {tuple(input_shape)} the shape "
                f"{self.shape}, which takes {'a multiple of ' * free}{known}."
            )
        return tuple(numbers // known if size == -1 else size for size in self.shape)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, if rows and columns stay; else one of everything."""
        shape = self.output_shape(input_shape)
        same = len(shape) == 1 or (len(input_shape) > 2 and shape[-2:] == input_shape[-2:])
        return field if same else replace(field, everything=True)

    def _arranged(self, x: Array) -> Array:
        return x.reshape(len(x), *self.output_shape(x.shape[1:]))

    def _restored(self, dy: Array, shape: Shape) -> Array:
        return dy.reshape(shape)


class Permute(_Rearrangement):
    """Change the order of the axes: axis k of the output is axis ``dims[k]`` of the input.

    Parameters
    ----------
    dims : int or sequence of int
        As in PyTorch, N included, which stays first: ``Permute(0, 2, 3, 1)`` moves the channels to
        the end.

    Examples
    --------
    >>> Permute(0, 2, 3, 1).output_shape((3, 4, 5))
    (4, 5, 3)
    """

    short_name = "permute"

    def __init__(self, dims: int | Sequence[int], *more: int) -> None:
        order = (*(dims if isinstance(dims, Sequence) else (dims,)), *more)
        whole = all(map(_is_integer, order))
        counted = [int(dim) % len(order) for dim in order] if whole else []
        if sorted(counted) != list(range(len(order))) or counted[0]:
            raise ArgumentError(
                "must name each axis once, N = 0 first, as in `Permute(0, 2, 3, 1)`; received "
                f"{order!r}.",
                where="dims",
            )
        self.dims = tuple(counted)
        self.one_size = len(counted) < 2 or counted[1] != 1  # channels come from another axis

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the lengths in the new order."""
        if len(input_shape) + 1 != len(self.dims):
            raise ShapeError(
                f"orders {len(self.dims)} axes, N included, received shape {tuple(input_shape)} "
                "without N."
            )
        return tuple(input_shape[dim - 1] for dim in self.dims[1:])

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, if rows and columns stay the last axes; else one of everything."""
        last = len(self.dims)
        same = last < 4 or self.dims[-2:] == (last - 2, last - 1)
        return field if same else replace(field, everything=True)

    def _arranged(self, x: Array) -> Array:
        return np.ascontiguousarray(x.transpose(self.dims))

    def _restored(self, dy: Array, shape: Shape) -> Array:
        return np.ascontiguousarray(dy.transpose(np.argsort(self.dims)))


class Slice(_Rearrangement):
    """Take a part of one axis: ``x[:, ..., start:stop:step, ...]``; the rest gets no gradient.

    Parameters
    ----------
    dim : int
        The axis, N = 0 included: 1 are the channels. Negative numbers count from the end.
    start, stop, step : int or None
        As in Python, negative numbers included.

    Raises
    ------
    ShapeError
        From `output_shape` and forward, if nothing is left.

    Examples
    --------
    >>> Slice(1, 2, 5).output_shape((8, 4, 4)), Slice(-1, step=-2).output_shape((8, 4, 4))
    ((3, 4, 4), (8, 4, 2))
    """

    short_name = "slice"

    def __init__(
        self,
        dim: int,
        start: int | None = None,
        stop: int | None = None,
        step: int | None = None,
    ) -> None:
        for name, value in (("start", start), ("stop", stop), ("step", step)):
            if value is not None and not _is_integer(value):
                raise ArgumentError(f"must be an integer or None, received {value!r}.", where=name)
        if not _is_integer(dim) or dim == 0:
            raise ArgumentError(
                f"must be an axis other than 0, the batch; received {dim!r}.", where="dim"
            )
        if step == 0:
            raise ArgumentError("must not be 0.", where="step")
        self.dim, self.start, self.stop, self.step = dim, start, stop, step
        self.per_pixel = dim == 1
        self.one_size = dim not in (1, -3)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with what is left of the axis."""
        axis = self._axis(len(input_shape) + 1) - 1
        left = len(self._cells(input_shape[axis]))
        if not left:
            raise ShapeError(
                f"leaves nothing of axis {self.dim} of shape (N, "
                f"{', '.join(map(str, input_shape))})."
            )
        return *input_shape[:axis], left, *input_shape[axis + 1 :]

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, from the first row or column that is left."""
        shape = self.output_shape(input_shape)
        if len(shape) != 3 or self._axis(4) == 1:
            return field
        reads, steps = [], []
        for axis, size in enumerate(input_shape[1:], 2):
            cells = self._cells(size) if axis == self._axis(4) else range(size)
            reads.append([(cell, cell) for cell in cells])
            steps.append(abs(cells.step))
        return field.through_cells((reads[0], reads[1]), (steps[0], steps[1]))

    def _axis(self, dimensions: int) -> int:
        if not -dimensions < self.dim < dimensions:
            raise ShapeError(
                f"takes a part of axis {self.dim}, but its input has only {dimensions} axes, N "
                "included."
            )
        return self.dim % dimensions

    def _cells(self, size: int) -> range:
        return range(size)[slice(self.start, self.stop, self.step)]

    def _places(self, dimensions: int) -> tuple[slice, ...]:
        whole = (slice(None),) * self._axis(dimensions)
        return *whole, slice(self.start, self.stop, self.step)

    def _arranged(self, x: Array) -> Array:
        return np.ascontiguousarray(x[self._places(x.ndim)])

    def _restored(self, dy: Array, shape: Shape) -> Array:
        dx = np.zeros(shape, dtype=dy.dtype)
        dx[self._places(len(shape))] = dy
        return dx


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
