"""Checks of the images given to a model, with advice on what to change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DataError, PellucidError, ShapeError
from ..nn import Layer
from ..typing import Array

__all__ = ["axes_hint", "require_floats"]


def require_floats(x: Any, where: str) -> Array:
    """Return ``x`` as an array of floats with a batch axis, or refuse it."""
    try:
        x = np.asarray(x)
    except ValueError as error:  # a list of images of different sizes
        raise DataError(
            f"expects an array of images (N, C, H, W), received {type(x).__name__} that is not one "
            f"({error}). Give images of one size.",
            where=where,
        ) from error
    if not np.issubdtype(x.dtype, np.floating):
        raise DataError(
            f"expects images as numbers in [0, 1], received {x.dtype}. `Dataset.batch` returns "
            "such; or divide by the largest pixel value: `(x / 255).astype(np.float32)`.",
            where=where,
        )
    if x.ndim < 2:
        raise ShapeError(f"expects images (N, C, H, W), received shape {x.shape}.", where=where)
    return x


def axes_hint(model: Layer, shape: tuple[int, ...]) -> str:
    """Return advice on missing or permuted axes of ``shape``, as far as ``model`` allows."""
    built = model.input_shape

    def takes(*image: int) -> bool:
        try:
            model.output_shape(image)
        except (PellucidError, ValueError, IndexError, ZeroDivisionError):
            return False
        return built is None or len(image) == len(built)

    if len(shape) == 3 and takes(*shape):
        return " For one image add the batch axis: `x[np.newaxis]`."
    if len(shape) == 3 and takes(1, *shape[1:]):
        return " Add the channel axis: `x[:, np.newaxis]`."
    if len(shape) == 3 and takes(shape[2], *shape[:2]):
        return (
            " Channels come first, and before them the batch: `x.transpose(2, 0, 1)[np.newaxis]`."
        )
    if len(shape) == 4 and takes(shape[3], *shape[1:3]):
        return " Channels come before rows and columns: `x.transpose(0, 3, 1, 2)`."
    if len(shape) == 2 and built is not None and shape[1] == math.prod(built) and takes(*built):
        return f" Reshape the images: `x.reshape(-1, {', '.join(map(str, built))})`."
    return f" It was built for images {tuple(built)}." if built is not None else ""
