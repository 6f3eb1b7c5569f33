"""The checks that several ops share, so that each refusal is worded once."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..typing import Array

__all__ = ["as_floats", "require_image_shape", "require_images", "require_shape"]


def as_floats(x: Array) -> Array:
    """Return ``x``, integers as float64: their differences and powers could wrap around."""
    return x if np.issubdtype(x.dtype, np.inexact) else x.astype(np.float64)


def require_images(x: Array, where: str) -> None:
    """Refuse what is not a batch of images (N, C, H, W)."""
    if x.ndim != 4:
        hint = " One image? Add the batch axis with x[np.newaxis]." if x.ndim == 3 else ""
        raise ShapeError(
            f"expects images (N, C, H, W), received shape {x.shape}.{hint}", where=where
        )


def require_image_shape(shape: tuple[int, ...], where: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of one image, or refuse what is something else."""
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
    if array.shape != required:
        raise ShapeError(
            f"expects {name} of shape {letters} = {tuple(required)}, received {array.shape}.",
            where=where,
        )
