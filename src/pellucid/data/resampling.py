"""Rotate or scale each image about its centre."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ArgumentError
from ..ops.affine import affine
from ..typing import Array
from .image_transforms import Random, Transform

__all__ = ["Resample", "Rotate", "Scale"]


class Resample(Transform):
    """Base class of transforms that map each image by a matrix.

    Attributes
    ----------
    affine : callable
        `pellucid.ops.affine`, or what an engine has in its place.
    """

    affine: Callable[[Array, Array], Array] = staticmethod(affine)

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        x[:] = self.affine(x, self.matrices(len(x), rng))

    def matrices(self, n: int, rng: Random) -> Array:
        """Return matrices (N, 2, 2) from points of the output to points of the input."""
        raise NotImplementedError


class Rotate(Resample):
    """Rotate each image about its centre by up to ``degrees`` either way.

    Pixels are interpolated bilinearly; beyond an edge its pixels are repeated.

    Parameters
    ----------
    degrees : float
        Above 0, at most 180.
    """

    def __init__(self, degrees: float) -> None:
        if not 0 < degrees <= 180:
            raise ArgumentError(
                f"must be above 0 and at most 180 degrees, received {degrees!r}.", where="rotate"
            )
        self.degrees = float(degrees)

    def matrices(self, n: int, rng: Random) -> Array:
        """Return rotations by random angles."""
        angles = np.deg2rad(rng.uniform(-self.degrees, self.degrees, size=n))
        cos, sin = np.cos(angles), np.sin(angles)
        return np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)

    def __str__(self) -> str:
        return f"rotate{self.degrees:g}"


class Scale(Resample):
    """Enlarge each image about its centre by a factor in 1 - ``amount`` to 1 + ``amount``.

    Pixels are interpolated bilinearly; a smaller image is surrounded by its repeated edges.

    Parameters
    ----------
    amount : float
        Above 0, below 1.
    """

    def __init__(self, amount: float) -> None:
        if not 0 < amount < 1:
            raise ArgumentError(f"must be above 0 and below 1, received {amount!r}.", where="scale")
        self.amount = float(amount)

    def matrices(self, n: int, rng: Random) -> Array:
        """Return scalings by random factors."""
        factors = rng.uniform(1 - self.amount, 1 + self.amount, size=n)
        return np.eye(2) / factors[:, np.newaxis, np.newaxis]

    def __str__(self) -> str:
        return f"scale{self.amount:g}"
