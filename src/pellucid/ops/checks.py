"""Argument checks shared by several ops, so that each error message is written once."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..typing import Array

__all__ = [
    "as_floats",
    "as_terms",
    "gradient_like",
    "require_axis",
    "require_channel_axis",
    "require_count",
    "require_image_shape",
    "require_images",
    "require_no_wider",
    "require_real",
    "require_shape",
]


def as_floats(x: Array, where: str = "") -> Array:
    """Return ``x``, integers as float64, since differences and powers of integers could wrap."""
    require_real(x, where)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def as_terms(x: Array, w: Array) -> Array:
    """Return ``x``, as int64 if both are integers, since sums of their products could wrap."""
    whole = x.dtype.kind in "biu" and w.dtype.kind in "biu"
    return x.astype(np.result_type(x, w, np.int64), copy=False) if whole else x


def require_real(x: Array, where: str, name: str = "input") -> None:
    """Refuse anything but an array of real numbers, such as a list, complex numbers or text."""
    _require_array(x, where, name)
    if x.dtype.kind not in "fiub":
        hint = " Take `.real`, `.imag` or `np.abs` of it." if x.dtype.kind == "c" else ""
        raise ArgumentError(
            f"expects real numbers, received {name} of {x.dtype}.{hint}", where=where
        )


def require_no_wider(x: Array, where: str, **arrays: Array | None) -> None:
    """Refuse arrays that would promote the result to a wider dtype than that of a float ``x``.

    Narrower arrays are fine: float64 images through float32 filters give float64. So is the other
    byte order, as in FITS and old files, which NumPy converts as it computes.
    """
    require_real(x, where)
    ours = x.dtype.newbyteorder("=")
    for name, array in arrays.items():
        if array is None:  # an omitted bias
            continue
        require_real(array, where, name)
        theirs = array.dtype.newbyteorder("=")
        if ours.kind == "f" and np.promote_types(theirs, ours) != ours:
            other = f" or the input with `x.astype(np.{theirs})`," if theirs.kind == "f" else ""
            raise ArgumentError(
                f"expects {name} of {ours}, as the input is, received {theirs}: the result would "
                f"be {np.promote_types(ours, theirs)}. Convert it with `{name}.astype(np.{ours})`,"
                f"{other} or a whole model with `model.astype`.",
                where=where,
            )


def gradient_like(dy: Array, y: Array, where: str) -> Array:
    """Return ``dy`` in the dtype of ``y``; refuse another shape or a wider dtype."""
    require_no_wider(y, where, dy=dy)
    require_shape(dy, y.shape, "an output gradient", "like the output", where)
    return dy.astype(y.dtype, copy=False) if y.dtype.kind == "f" else dy


def require_axis(x: Array, axis: int, where: str) -> None:
    """Refuse an axis that ``x`` does not have, or of length 0."""
    if not isinstance(axis, int | np.integer) or not -x.ndim <= axis < x.ndim:
        raise ArgumentError(
            f"must be an axis of the input, {-x.ndim} to {x.ndim - 1} for shape {x.shape}; "
            f"received {axis!r}.",
            where="axis",
        )
    if x.shape[axis] == 0:
        raise ShapeError(
            f"needs at least one number along axis {axis}, received shape {x.shape}. Give the "
            "layer before it an output for each class.",
            where=where,
        )


def require_count(value: int, name: str) -> int:
    """Return ``value`` if it is an integer of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"must be an integer, 1 or more; received {value!r}.", where=name)
    return int(value)


def require_images(x: Array, where: str) -> None:
    """Refuse anything but a batch of images (N, C, H, W) of real numbers."""
    require_real(x, where)
    if x.ndim != 4:
        hint = " One image? Add the batch axis with x[np.newaxis]." if x.ndim == 3 else ""
        raise ShapeError(
            f"expects images (N, C, H, W), received shape {x.shape}.{hint}", where=where
        )


def require_image_shape(shape: tuple[int, ...], where: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of one image; refuse any other number of axes."""
    if len(shape) != 3:
        hint = " A Flatten comes after the last layer that needs images." if len(shape) == 1 else ""
        raise ShapeError(
            f"expects images of shape (C, H, W), received shape {tuple(shape)}.{hint}", where=where
        )
    return shape[0], shape[1], shape[2]


def require_shape(
    array: Array, required: tuple[int, ...], name: str, letters: str, where: str
) -> None:
    """Refuse an ``array`` whose shape is not ``required``; ``letters`` says what the sizes mean."""
    _require_array(array, where, name)
    if array.shape != required:
        raise ShapeError(
            f"expects {name} of shape {letters} = {tuple(required)}, received {array.shape}.",
            where=where,
        )


def _require_array(x: object, where: str, name: str) -> None:
    if not isinstance(x, np.ndarray | np.generic):
        raise ArgumentError(
            f"expects {name} as a NumPy array, received {type(x).__name__}. Convert it with "
            "`np.asarray`.",
            where=where,
        )


def require_channel_axis(x: Array, where: str) -> None:
    """Refuse an array without a channel axis: anything but (N, C, ...)."""
    require_real(x, where)
    if x.ndim < 2:
        raise ShapeError(f"expects (N, C, ...), received shape {x.shape}.", where=where)
