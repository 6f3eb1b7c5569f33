"""Augment a batch: mirror, shift, hide a part, change the brightness.

Training sets are small, and an object may as well stand elsewhere or face the other way (Krizhevsky
et al. 2012, section 4.1). Each transform changes a whole float batch (N, C, H, W) with values in
[0, 1], with an independent random draw for each image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ArgumentError, DataError, did_you_mean
from ..image_random import ImageRandom
from ..typing import Array
from .checks import require_float_batch

__all__ = ["Augmentation", "Brightness", "Crop", "Cutout", "Flip", "Transform", "augmentation"]

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
            padded[:] = _colour(self.fill, x)  # the border keeps it from batch to batch
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
        colour = _colour(self.fill, x)[0]
        before = self.size // 2
        even = 1 - self.size % 2
        rows, columns = rng.integers(0, (h + even, w + even), size=(n, 2)).T.tolist()
        for image, i, j in zip(x, rows, columns, strict=True):
            top, left = i - before, j - before
            image[:, max(top, 0) : top + self.size, max(left, 0) : left + self.size] = colour

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


class Augmentation:
    """Apply several transforms, one after the other.

    Parameters
    ----------
    *transforms : Transform
    rng : numpy.random.Generator
        Draws for all of them; with its state restored the same images come again. A Trainer
        passes its own.

    Examples
    --------
    >>> augment = Augmentation(Flip(), Crop(1), rng=np.random.default_rng(0))
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 10
    >>> augment(x)[0, 0]
    array([[0. , 0. , 0.1],
           [0. , 0.3, 0.4],
           [0. , 0.6, 0.7]], dtype=float32)
    >>> print(augment)
    flip,crop1
    """

    def __init__(self, *transforms: Transform, rng: Random | None = None) -> None:
        self.transforms = transforms
        self.rng: Random = np.random.default_rng() if rng is None else rng
        self._buffer = np.empty(0)

    def __call__(self, x: Array) -> Array:
        """Return ``x`` (N, C, H, W) augmented, in a buffer that the next call overwrites.

        Raises
        ------
        DataError
            If ``x`` is not a batch of float images, or its range does not suit a transform.
        """
        require_float_batch(x, "augment")
        if self._buffer.size < x.size or self._buffer.dtype != x.dtype:
            self._buffer = np.empty(x.size, x.dtype)
        y = self._buffer[: x.size].reshape(x.shape)
        y[:] = x
        for transform in self.transforms:
            transform.apply(y, self.rng)
        return y

    def require_range(self, low: float, high: float) -> None:
        """Refuse images whose range, ``low`` to ``high``, does not suit a transform.

        Raises
        ------
        DataError
        """
        for transform in self.transforms:
            transform.require_range(low, high)

    def __str__(self) -> str:
        return ",".join(map(str, self.transforms))

    def __repr__(self) -> str:
        return f"Augmentation({str(self)!r})"


def augmentation(text: str, *, fill: Fill = 0.0, rng: Random | None = None) -> Augmentation:
    """Return the transforms named in ``text``, such as ``"flip,crop4,cutout8,brightness0.2"``.

    Parameters
    ----------
    text : str
        Names with their number, separated by commas; applied in this order.
    fill : float or sequence of C
        The colour of `Cutout`'s square.
    rng : numpy.random.Generator, optional

    Raises
    ------
    ArgumentError
        If a name is unknown, or its number is missing or not allowed.

    Examples
    --------
    >>> augmentation("flip, crop4")
    Augmentation('flip,crop4')
    >>> augmentation("flip,corp4")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: augment: there is no 'corp4'. Did you mean 'crop'? \
Known: brightness, crop, cutout, flip. Write for example flip,crop4,cutout8,brightness0.2.
    """
    make: dict[str, Callable[[float], Transform]] = {
        "crop": lambda number: Crop(_integer(number, "crop")),
        "cutout": lambda number: Cutout(_integer(number, "cutout"), fill),
        "brightness": Brightness,
    }
    example = "Write for example flip,crop4,cutout8,brightness0.2."
    transforms: list[Transform] = []
    for item in text.lower().split(","):
        parts = re.fullmatch(r"\s*([a-z]*)\s*(\d*\.?\d*)\s*", item)
        name, number = parts.groups() if parts else (item, "")
        if name not in {*make, "flip"}:
            known = did_you_mean(name, {*make, "flip"})
            raise ArgumentError(f"there is no {item.strip()!r}. {known} {example}", where="augment")
        if (number in ("", ".")) != (name == "flip"):
            lack = "takes no number" if number else "needs a number after it"
            raise ArgumentError(f"{name} {lack}; received {item!r}. {example}", where="augment")
        try:
            transforms.append(make[name](float(number)) if number else Flip())
        except ArgumentError as error:
            error.message, error.where = f"{error.where} {error.message} {example}", "augment"
            raise
    return Augmentation(*transforms, rng=rng)


def _colour(fill: Fill, x: Array) -> Array:
    """Return ``fill`` as (1, C or 1, 1, 1)."""
    colour = np.asarray(fill, dtype=x.dtype).reshape(1, -1, 1, 1)
    if colour.size not in (1, x.shape[1]):
        raise ArgumentError(
            f"expects one number or one for each of {x.shape[1]} channels, received {fill!r}.",
            where="fill",
        )
    return colour


def _integer(number: float, name: str) -> int:
    if not number.is_integer():
        raise ArgumentError(f"must be an integer number of pixels, received {number}.", where=name)
    return int(number)


def _pixels(number: int, name: str) -> int:
    if not isinstance(number, int | np.integer) or not 1 <= number < math.inf:
        raise ArgumentError(f"must be 1 pixel or more, received {number!r}.", where=name)
    return int(number)
