"""Transforms of a batch: mirror, shift, hide a square, change the brightness.

Training sets are small, and an object may as well stand elsewhere or face the other way (Krizhevsky
et al. 2012, section 4.1). Each transform changes a whole float batch (N, C, H, W) with values in
[0, 1], with an independent random draw for each image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, DataError
from ..image_random import ImageRandom
from ..typing import Array

__all__ = ["Brightness", "Crop", "Cutout", "Fill", "Flip", "Random", "Transform", "colour"]

Fill = float | Sequence[float]
Random = np.random.Generator | ImageRandom

DARKEST = -0.25  # resizing may undershoot 0 by this much; standardised images go further


class Transform:
    """Base class: `apply` changes a batch in place, drawing from ``rng``.

    A draw whose ``size`` begins with N has one row per image. In a Trainer ``rng`` is an
    `ImageRandom`, whose rows do not depend on the batch that an image is in.
    """

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        raise NotImplementedError

    def require_range(self, low: float, high: float) -> None:
        """Refuse images whose range, ``low`` to ``high``, does not suit this transform."""


class Flip(Transform):
    """Mirror each image left to right with probability 1/2 (Krizhevsky et al. 2012, 4.1)."""

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        chosen = np.flatnonzero(rng.random(len(x)) < 0.5)
        x[chosen] = x[chosen, :, :, ::-1]

    def __str__(self) -> str:
        return "flip"


class Crop(Transform):
    """Shift by up to ``padding`` pixels each way: pad every side, then crop the original size.

    Source: He et al. 2016, section 4.2 (4 pixels for CIFAR-10).

    Parameters
    ----------
    padding : int
    fill : float or sequence of C
        The colour of the padding; black by default.
    """

    def __init__(self, padding: int, fill: Fill = 0.0) -> None:
        self.padding = _pixels(padding, "crop")
        self.fill = fill
        self._padded = np.empty((0, 0, 0, 0))

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        p, (n, c, h, w) = self.padding, x.shape
        shape = (n, c, h + 2 * p, w + 2 * p)
        fits = self._padded.dtype == x.dtype and self._padded.shape[1:] == shape[1:]
        if not fits or len(self._padded) < n:
            padded = np.empty(shape, x.dtype)
            padded[:] = colour(self.fill, x)  # the border keeps it from batch to batch
            self._padded = padded
        padded = self._padded[:n]
        padded[:, :, p : p + h, p : p + w] = x
        top, left = rng.integers(0, 2 * p + 1, size=(n, 2)).T
        windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(2, 3))
        x[:] = windows[np.arange(n), :, top, left]

    def __str__(self) -> str:
        return f"crop{self.padding}"


class Cutout(Transform):
    """Mask a square of ``size`` x ``size`` pixels, whose centre may be anywhere in the image.

    The centre is any pixel, or for an even size any corner of one, so that no side is masked more
    often than the opposite one.

    Source: DeVries & Taylor 2017, section 3.2; they fill it with the mean colour.

    Parameters
    ----------
    size : int
    fill : float or sequence of C
        The colour of the square.
    """

    def __init__(self, size: int, fill: Fill = 0.0) -> None:
        self.size = _pixels(size, "cutout")
        self.fill = fill

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        n, _, h, w = x.shape
        filling = colour(self.fill, x)[0]
        before = self.size // 2
        even = 1 - self.size % 2
        rows, columns = rng.integers(0, (h + even, w + even), size=(n, 2)).T.tolist()
        for image, i, j in zip(x, rows, columns, strict=True):
            top, left = i - before, j - before
            image[:, max(top, 0) : top + self.size, max(left, 0) : left + self.size] = filling

    def __str__(self) -> str:
        return f"cutout{self.size}"


class Brightness(Transform):
    """Multiply each image by a factor in 1 - ``amount`` to 1 + ``amount``, and clip at 1.

    An image with numbers above 1 is clipped at its own maximum.

    Parameters
    ----------
    amount : float
        Above 0, at most 1.

    Raises
    ------
    DataError
        When it is applied to standardised images, where scaling does not change the brightness.
    """

    def __init__(self, amount: float) -> None:
        if not 0 < amount <= 1:
            raise ArgumentError(
                f"must be above 0 and at most 1, received {amount!r}.", where="brightness"
            )
        self.amount = float(amount)

    def apply(self, x: Array, rng: Random) -> None:
        """Change ``x`` (N, C, H, W)."""
        if x.size:
            self.require_range(float(x.min()), 1)
        factors = rng.uniform(1 - self.amount, 1 + self.amount, size=(len(x), 1, 1, 1))
        white = np.maximum(x.max(axis=(1, 2, 3), keepdims=True, initial=1), 1)
        x *= factors.astype(x.dtype)
        np.minimum(x, white, out=x)

    def require_range(self, low: float, high: float) -> None:
        """Refuse standardised images, whose numbers go far below 0."""
        if low < DARKEST:
            raise DataError(
                f"expects images in [0, 1], received numbers from {low:.4g} on. Give it the images "
                "before standardising, and let the network do that: "
                "`nn.Normalize(mean, std).before(network)`.",
                where="brightness",
            )

    def __str__(self) -> str:
        return f"brightness{self.amount:g}"


def colour(fill: Fill, x: Array) -> Array:
    """Return ``fill`` as (1, C or 1, 1, 1)."""
    filling = np.asarray(fill, dtype=x.dtype).reshape(1, -1, 1, 1)
    if filling.size not in (1, x.shape[1]):
        raise ArgumentError(
            f"expects one number or one for each of {x.shape[1]} channels, received {fill!r}.",
            where="fill",
        )
    return filling


def _pixels(number: int, name: str) -> int:
    if not isinstance(number, int | np.integer) or not 1 <= number < math.inf:
        raise ArgumentError(f"must be 1 pixel or more, received {number!r}.", where=name)
    return int(number)
