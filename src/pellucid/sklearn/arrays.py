"""Images as scikit-learn passes them: flat rows, or arrays of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from ..shapes import shape_text
from ..typing import Array

__all__ = ["ImageShape", "as_rows", "image_shape_of", "require_same_scale", "scale_of"]

ImageShape = tuple[int, int, int]

SMALLEST_SQUARE = 4  # pixels a side, of flat rows that are taken as square images


def as_rows(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return images (N, C, H, W) or (N, H, W) as rows (N, D), and the shape of one image.

    Anything else is returned as it is, for scikit-learn to check, with None.

    Examples
    --------
    >>> rows, shape = as_rows(np.zeros((5, 8, 8)))
    >>> rows.shape, shape
    ((5, 64), (1, 8, 8))
    """
    array = X if hasattr(X, "ndim") else _array(X)
    if array.ndim not in (3, 4) or 0 in array.shape[1:]:
        return X, None
    array = np.asarray(array)
    shape = array.shape[1:] if array.ndim == 4 else (1, *array.shape[1:])
    return array.reshape(len(array), -1), shape


def image_shape_of(features: int, found: tuple[int, ...] | None, given: Any) -> ImageShape:
    """Return the shape (C, H, W) of the images that rows of ``features`` numbers hold.

    Parameters
    ----------
    features : int
    found : tuple or None
        The shape of the images before they became rows.
    given : tuple or None
        The parameter ``image_shape``: (C, H, W), or (H, W) for one channel. Without it, rows are
        square images of one channel if ``features`` is a square of 16 or more, else images of one
        row of pixels.

    Raises
    ------
    ShapeError
        If they disagree.

    Examples
    --------
    >>> image_shape_of(64, None, None), image_shape_of(12, None, None)
    ((1, 8, 8), (1, 1, 12))
    >>> image_shape_of(12, None, (3, 2, 2))
    (3, 2, 2)
    """
    if given is None:
        side = math.isqrt(features)
        square = side >= SMALLEST_SQUARE and side * side == features
        c, h, w = found or ((1, side, side) if square else (1, 1, features))
        return c, h, w
    good = isinstance(given, Sequence) and all(
        isinstance(n, int | np.integer) and n > 0 for n in given
    )
    if not good or len(given) not in (2, 3):
        raise ShapeError(
            f"must be (channels, rows, columns), as (1, 8, 8), received {given!r}.",
            where="image_shape",
        )
    c, h, w = map(int, given if len(given) == 3 else (1, *given))
    if found is not None and found != (c, h, w):
        raise ShapeError(
            f"is {(c, h, w)}, but X holds images {shape_text(found)} (channels x rows x columns). "
            "Leave it out, or arrange the axes as (N, C, H, W).",
            where="image_shape",
        )
    if c * h * w != features:
        raise ShapeError(
            f"{(c, h, w)} has {c * h * w} numbers, but a row of X has {features}. Give the "
            "channels, rows and columns of these images.",
            where="image_shape",
        )
    return c, h, w


def scale_of(rows: Array) -> str:
    """Return what the numbers are: "bytes" (uint8), "fractions" (0 to 1) or "other"."""
    if rows.dtype == np.uint8:
        return "bytes"
    return "fractions" if rows.min() >= 0 and rows.max() <= 1 else "other"


def require_same_scale(rows: Array, fitted: str) -> None:
    """Refuse fractions up to 1 after bytes, and bytes after floats up to about 1.

    Parameters
    ----------
    rows : array (N, D)
    fitted : str
        The scale (`scale_of`) that the classifier was fitted on.

    Raises
    ------
    DataError
    """
    if not rows.size:
        return
    low, high = rows.min(), rows.max()
    if fitted == "bytes" and rows.dtype.kind == "f" and low >= 0 and 0 < high <= 1:
        raise DataError(
            f"was fitted on bytes (0 to 255), received floats up to {high:g}, which are bytes "
            "divided by 255. Multiply them: `(255 * X).round().astype(np.uint8)`.",
            where="ConvNetClassifier",
        )
    if fitted == "fractions" and rows.dtype == np.uint8 and high > 2:
        raise DataError(
            f"was fitted on numbers in [0, 1], received bytes up to {high}. Divide them: "
            "`X / 255`.",
            where="ConvNetClassifier",
        )


def _array(X: Any) -> Array:
    try:
        return np.asarray(X)
    except ValueError:  # rows of different lengths, which scikit-learn refuses
        return np.empty((0, 0))
