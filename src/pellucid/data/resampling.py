"""Rotate or scale each image about its centre."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..ops.affine import affine
from ..typing import Array
from .transforms import Random, Transform

__all__ = ["Rotate", "Scale"]


class Rotate(Transform):
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

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        angles = np.deg2rad(rng.uniform(-self.degrees, self.degrees, size=len(x)))
        cos, sin = np.cos(angles), np.sin(angles)
        x[:] = affine(x, np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2))

    def __str__(self) -> str:
        return f"rotate{self.degrees:g}"


class Scale(Transform):
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

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        factors = rng.uniform(1 - self.amount, 1 + self.amount, size=len(x))
        x[:] = affine(x, np.eye(2) / factors[:, np.newaxis, np.newaxis])

    def __str__(self) -> str:
        return f"scale{self.amount:g}"
