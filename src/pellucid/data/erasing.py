"""Random erasing: hide a random rectangle."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .image_transforms import Fill, Random, Transform, colour

__all__ = ["Erase"]

AREA = (0.02, 0.4)  # of the image
RATIO = (0.3, 1 / 0.3)  # height by width


class Erase(Transform):
    """Hide a rectangle of 2 to 40 % of the area with probability ``probability``.

    Its ratio of height to width is log-uniform from 0.3 to 3.3, and it lies within the image; sides
    that would be longer than the image are cut off (the paper draws again). Source: Zhong et al.
    2020, "Random erasing data augmentation", section 3.2, algorithm 1.

    Parameters
    ----------
    probability : float
        Above 0, at most 1; the paper's is 0.5.
    fill : float or sequence of C
        The colour of the rectangle: the paper's RE-M fills it with the mean colour.
    """

    def __init__(self, probability: float = 0.5, fill: Fill = 0.0) -> None:
        if not 0 < probability <= 1:
            raise ArgumentError(
                f"must be above 0 and at most 1, received {probability!r}.", where="erase"
            )
        self.probability = float(probability)
        self.fill = fill

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        n, _, h, w = x.shape
        filling = colour(self.fill, x)[0]
        chosen, area, ratio, row, column = rng.random((n, 5)).T
        area = h * w * (AREA[0] + (AREA[1] - AREA[0]) * area)
        ratio = np.exp(np.log(RATIO[0]) + np.log(RATIO[1] / RATIO[0]) * ratio)
        heights = np.clip(np.rint(np.sqrt(area * ratio)), 1, h).astype(int)
        widths = np.clip(np.rint(np.sqrt(area / ratio)), 1, w).astype(int)
        tops = ((h - heights + 1) * row).astype(int)
        lefts = ((w - widths + 1) * column).astype(int)
        for k in np.flatnonzero(chosen < self.probability):
            rows = slice(tops[k], tops[k] + heights[k])
            x[k, :, rows, lefts[k] : lefts[k] + widths[k]] = filling

    def __str__(self) -> str:
        return "erase" if self.probability == 0.5 else f"erase{self.probability:g}"
