"""Reductions: the sum, mean, maximum or minimum over some axes of an array.

    sum        y = Σ x         gradient: dy to every number
    mean       y = Σ x / M     gradient: dy / M
    maximum    y = max x       gradient: dy to the argmax, the first of equals

with M the count of numbers that one output reduces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..typing import Array
from .checks import require_real, require_shape
from .sums import mean, total

__all__ = [
    "reduce_max",
    "reduce_max_backward",
    "reduce_mean",
    "reduce_mean_backward",
    "reduce_min",
    "reduce_sum",
    "reduce_sum_backward",
    "reduced_axes",
    "reduced_shape",
]


def reduce_sum(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> Array:
    """Add the numbers along ``axes``; with ``keepdims`` these remain, of length 1."""
    require_real(x, "reduce_sum")
    return total(x, reduced_axes(axes, x.ndim), keepdims=keepdims)


def reduce_sum_backward(
    dy: Array, x_shape: tuple[int, ...], axes: Sequence[int], *, keepdims: bool = True
) -> Array:
    """Give ``dy`` to every number that it was added from."""
    return np.broadcast_to(
        _kept(dy, x_shape, axes, keepdims, "reduce_sum_backward"), x_shape
    ).copy()


def reduce_mean(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> Array:
    """Average the numbers along ``axes``.

    Examples
    --------
    >>> reduce_mean(np.array([[1.0, 2.0, 6.0]]), [1])
    array([[3.]])
    """
    require_real(x, "reduce_mean")
    axes = reduced_axes(axes, x.ndim)
    _require_some(x, axes, "reduce_mean")
    return mean(x, axes, keepdims=keepdims)


def reduce_mean_backward(
    dy: Array, x_shape: tuple[int, ...], axes: Sequence[int], *, keepdims: bool = True
) -> Array:
    """Give every number the same share of ``dy``."""
    kept = _kept(dy, x_shape, axes, keepdims, "reduce_mean_backward")
    count = math.prod(x_shape[a] for a in reduced_axes(axes, len(x_shape)))
    return np.broadcast_to(kept / count, x_shape).copy()


def reduce_max(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> tuple[Array, Array]:
    """Take the largest number along ``axes``; NaN counts as the largest.

    Returns
    -------
    y : array
    arg_max : integer array
        Its place among the numbers that are reduced, in C order; all ``axes`` kept.

    Examples
    --------
    >>> y, arg_max = reduce_max(np.array([[[1.0, 9.0], [4.0, 2.0]]]), [1, 2])
    >>> y.item(), arg_max.item()
    (9.0, 1)
    """
    return _extreme(np.argmax, x, axes, keepdims, "reduce_max")


def reduce_min(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> tuple[Array, Array]:
    """Take the smallest number along ``axes``, and its place; else as `reduce_max`."""
    return _extreme(np.argmin, x, axes, keepdims, "reduce_min")


def reduce_max_backward(
    dy: Array,
    arg_max: Array,
    x_shape: tuple[int, ...],
    axes: Sequence[int],
    *,
    keepdims: bool = True,
) -> Array:
    """Give ``dy`` to the number that was the largest, or the smallest."""
    kept = _kept(dy, x_shape, axes, keepdims, "reduce_max_backward")
    axes = reduced_axes(axes, len(x_shape))
    rest = [a for a in range(len(x_shape)) if a not in axes]
    last = [x_shape[a] for a in (*rest, *axes)]
    flat = np.zeros((*last[: len(rest)], math.prod(last[len(rest) :])), dtype=dy.dtype)
    columns = (*flat.shape[:-1], 1)
    np.put_along_axis(flat, arg_max.reshape(columns), kept.reshape(columns), axis=-1)
    return np.ascontiguousarray(flat.reshape(last).transpose(np.argsort((*rest, *axes))))


def reduced_axes(axes: Sequence[int], dimensions: int) -> tuple[int, ...]:
    """Return ``axes`` counted from 0, sorted.

    Raises
    ------
    ShapeError
        If the array does not have one of them.
    ArgumentError
        If one occurs twice.
    """
    if any(not -dimensions <= axis < dimensions for axis in axes):
        raise ShapeError(
            f"reduces the axes {tuple(axes)}, but its input has only {dimensions}, N included."
        )
    found = tuple(sorted(axis % dimensions for axis in axes))
    if len(set(found)) < len(found):
        raise ArgumentError(f"names an axis twice, received {tuple(axes)}.", where="dims")
    return found


def reduced_shape(
    shape: tuple[int, ...], axes: Sequence[int], *, keepdims: bool = True
) -> tuple[int, ...]:
    """Return the shape that is left of ``shape``."""
    found = reduced_axes(axes, len(shape))
    if keepdims:
        return tuple(1 if a in found else size for a, size in enumerate(shape))
    return tuple(size for a, size in enumerate(shape) if a not in found)


def _extreme(
    place_of: Callable[..., Array], x: Array, axes: Sequence[int], keepdims: bool, where: str
) -> tuple[Array, Array]:
    require_real(x, where)
    axes = reduced_axes(axes, x.ndim)
    _require_some(x, axes, where)
    rest = [a for a in range(x.ndim) if a not in axes]
    last = x.transpose(*rest, *axes)
    flat = last.reshape(*last.shape[: len(rest)], math.prod(x.shape[a] for a in axes))
    place = place_of(flat, axis=-1, keepdims=True)
    kept = reduced_shape(x.shape, axes)
    y = np.take_along_axis(flat, place, axis=-1)
    return y.reshape(reduced_shape(x.shape, axes, keepdims=keepdims)), place.reshape(kept)


def _kept(
    dy: Array, x_shape: tuple[int, ...], axes: Sequence[int], keepdims: bool, where: str
) -> Array:
    """Return ``dy`` with all axes, those that are reduced of length 1."""
    require_real(dy, where, "dy")
    required = reduced_shape(x_shape, axes, keepdims=keepdims)
    require_shape(dy, required, "an output gradient", "like the output", where)
    return dy.reshape(reduced_shape(x_shape, axes))


def _require_some(x: Array, axes: tuple[int, ...], where: str) -> None:
    """Refuse to reduce nothing at all: it has no mean and no maximum."""
    if any(x.shape[a] == 0 for a in axes):
        raise ShapeError(
            f"needs at least one number along the axes {axes}, received shape {x.shape}.",
            where=where,
        )
