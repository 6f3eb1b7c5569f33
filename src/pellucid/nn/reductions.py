"""Layers that reduce axes to one number: sum, mean, maximum, minimum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import ClassVar

from .. import ops
from ..errors import ArgumentError
from ..ops.reductions import reduced_axes, reduced_shape
from ..receptive import ReceptiveField
from ..shapes import slide
from ..typing import Array, Shape
from .layer import Layer

__all__ = ["Max", "Mean", "Min", "Sum"]


class _Reduction(Layer):
    """Base class of the reductions.

    Parameters
    ----------
    dims : int or sequence of int
        The axes, N = 0 included, which is not allowed: (2, 3) is the whole image of each channel.
        Negative numbers count from the end.
    keepdims : bool
        Keep them, of length 1.
    """

    def __init__(self, dims: int | Sequence[int], keepdims: bool = True) -> None:
        axes = tuple(dims) if isinstance(dims, Sequence) else (dims,)
        whole = all(isinstance(dim, Integral) and not isinstance(dim, bool) for dim in axes)
        if not axes or not whole or 0 in axes:
            raise ArgumentError(
                f"must be one or several axes other than 0, the batch; received {dims!r}.",
                where="dims",
            )
        self.dims = axes if len(axes) > 1 else axes[0]
        self.keepdims = keepdims
        self.one_size = axes not in ((1,), (-3,))
        self.per_pixel = axes == (1,) and keepdims

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that are reduced, as given."""
        return self.dims if isinstance(self.dims, tuple) else (self.dims,)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that is left."""
        whole = (1, *input_shape)  # N is not reduced
        if 0 in reduced_axes(self.axes, len(whole)):
            raise ArgumentError(
                f"must not name the batch, as {self.dims} do for (N, "
                f"{', '.join(map(str, input_shape))}).",
                where="dims",
            )
        return reduced_shape(whole, self.axes, keepdims=self.keepdims)[1:]

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the union of the fields of the cells that are reduced."""
        axes = reduced_axes(self.axes, len(input_shape) + 1)
        if axes == (1,):
            return field
        if len(input_shape) != 3:
            return replace(field, everything=True)
        h, w = input_shape[1:]
        return field.through(slide((h, w), (h if 2 in axes else 1, w if 3 in axes else 1)))

    def _checked(self, x: Array) -> Array:
        """Return ``x``; refuse the reduction of an array that is not (N, ...) with these axes."""
        if hasattr(x, "shape"):
            self.output_shape(x.shape[1:])
        return x


class Sum(_Reduction):
    """Add the numbers along some axes: ``y = Σ x``, ``dx = dy``.

    Parameters
    ----------
    dims, keepdims
        As in `Mean`.
    """

    short_name = "sum"

    def forward(self, x: Array) -> Array:
        """Return the sums."""
        y = ops.reduce_sum(self._checked(x), self.axes, keepdims=self.keepdims)
        self.remember(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` for every number."""
        (shape,) = self.recall()
        return ops.reduce_sum_backward(dy, shape, self.axes, keepdims=self.keepdims)


class Mean(_Reduction):
    """Average the numbers along some axes: ``y = Σ x / M``, ``dx = dy / M``.

    Parameters
    ----------
    dims : int or sequence of int
        The axes, N = 0 included, which is not allowed: (2, 3) is the whole image of each channel.
        Negative numbers count from the end.
    keepdims : bool
        Keep them, of length 1.

    Examples
    --------
    >>> Mean((2, 3), keepdims=False).output_shape((8, 4, 4)), Mean(1).output_shape((8, 4, 4))
    ((8,), (1, 4, 4))
    """

    short_name = "mean"

    def forward(self, x: Array) -> Array:
        """Return the means."""
        y = ops.reduce_mean(self._checked(x), self.axes, keepdims=self.keepdims)
        self.remember(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy / M`` for every number."""
        (shape,) = self.recall()
        return ops.reduce_mean_backward(dy, shape, self.axes, keepdims=self.keepdims)


class _Extreme(_Reduction):
    """Base class: ``dy`` goes to the number that was taken."""

    _op: ClassVar[Callable[..., tuple[Array, Array]]]

    def forward(self, x: Array) -> Array:
        """Return the largest or the smallest numbers."""
        y, place = self._op(self._checked(x), self.axes, keepdims=self.keepdims)
        self.remember(place, x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` at the places of the numbers that were taken, 0 elsewhere."""
        place, shape = self.recall()
        return ops.reduce_max_backward(dy, place, shape, self.axes, keepdims=self.keepdims)


class Max(_Extreme):
    """Take the largest number along some axes; ``dy`` goes to the argmax, the first of equals.

    Parameters
    ----------
    dims, keepdims
        As in `Mean`.
    """

    short_name = "max"
    _op = staticmethod(ops.reduce_max)


class Min(_Extreme):
    """Take the smallest number along some axes; ``dy`` goes to the argmin, the first of equals.

    Parameters
    ----------
    dims, keepdims
        As in `Mean`.
    """

    short_name = "min"
    _op = staticmethod(ops.reduce_min)
