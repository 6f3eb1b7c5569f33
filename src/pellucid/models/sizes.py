"""The sizes of images and features, as the networks of this package need them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..errors import ArgumentError
from ..nn import Layer, Sequential

__all__ = ["features", "image_shape", "multiplier"]


def image_shape(value: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return ``value`` if it is (channels, height, width).

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    sizes = tuple(value)
    if len(sizes) != 3 or any(not isinstance(s, int | np.integer) or s < 1 for s in sizes):
        raise ArgumentError(
            f"must be (channels, height, width), three integers of 1 or more; received {sizes}.",
            where="input_shape",
        )
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def features(layers: Mapping[str, Layer], input_shape: tuple[int, int, int]) -> int:
    """Return the number of features that the chain of ``layers`` makes of one image.

    Raises
    ------
    ShapeError
        If a layer cannot take the output of the one before it.
    """
    return math.prod(Sequential(**layers).output_shape(input_shape))


def multiplier(value: float, name: str) -> float:
    """Return ``value`` if it is a finite number above 0, by which sizes can be multiplied.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    number = isinstance(value, int | float | np.integer | np.floating)
    if not number or isinstance(value, bool) or not 0 < value < math.inf:
        raise ArgumentError(f"must be a number above 0, received {value!r}.", where=name)
    return float(value)
