"""Several transforms, applied to each batch one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from ..errors import ArgumentError, did_you_mean
from ..typing import Array
from .checks import require_float_batch
from .erasing import Erase
from .image_transforms import Brightness, Crop, Cutout, Fill, Flip, Random, Transform
from .mixing import Cutmix, Mix, Mixup
from .resampling import Resample, Rotate, Scale

__all__ = ["Augmentation", "augmentation"]


class Augmentation:
    """Apply several transforms, one after the other.

    Attributes
    ----------
    mixes : bool
        Whether a transform mixes images of a batch, and so their labels.
    mixing : int
        How many do: each mixes the next image into every one.

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
        self.mixing = sum(isinstance(transform, Mix) for transform in transforms)
        self.mixes = self.mixing > 0
        self._buffer = np.empty(0)

    def __call__(self, x: Array, targets: Array | None = None) -> Array:
        """Return ``x`` (N, C, H, W) augmented, in a buffer that the next call overwrites.

        Parameters
        ----------
        x : float array (N, C, H, W)
        targets : float array (N, K), optional
            The labels as rows that sum to 1; changed in place, and needed, if images are mixed.

        Raises
        ------
        ArgumentError
            If images would be mixed without their labels.
        DataError
            If ``x`` is not a batch of float images, or its range does not suit a transform.
        """
        if self.mixes and targets is None:
            raise ArgumentError(
                f"{self} mixes the labels too: call it with the images and their one-hot labels "
                "(N, K).",
                where="augment",
            )
        require_float_batch(x, "augment")
        if self._buffer.size < x.size or self._buffer.dtype != x.dtype:
            self._buffer = np.empty(x.size, x.dtype)
        y = self._buffer[: x.size].reshape(x.shape)
        y[:] = x
        for transform in self.transforms:
            if isinstance(transform, Mix):
                transform.mix(y, np.asarray(targets), self.rng)
            else:
                transform.apply(y, self.rng)
        return y

    def resample_by(self, affine: Callable[[Array, Array], Array]) -> None:
        """Let rotations and scalings use ``affine``, which does what `pellucid.ops.affine` does."""
        for transform in self.transforms:
            if isinstance(transform, Resample):
                transform.affine = affine

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
    """Return the transforms named in ``text``, such as ``"flip,crop4,rotate10,mixup0.2"``.

    Parameters
    ----------
    text : str
        Names with their number, separated by commas; applied in this order. Known: flip, cropN,
        rotateX, scaleX, brightnessX, cutoutN, erase or eraseX, mixupX, cutmixX.
    fill : float or sequence of C
        The colour of `Cutout`'s square and `Erase`'s rectangle.
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
Known: brightness, crop, cutmix, cutout, erase, flip, mixup, rotate, scale. \
Write for example flip,crop4,cutout8,brightness0.2.
    """
    make: dict[str, Callable[[float], Transform]] = {
        "crop": lambda number: Crop(_integer(number, "crop")),
        "cutout": lambda number: Cutout(_integer(number, "cutout"), fill),
        "brightness": Brightness,
        "rotate": Rotate,
        "scale": Scale,
        "erase": lambda number: Erase(number, fill),
        "mixup": Mixup,
        "cutmix": Cutmix,
    }
    alone: dict[str, Callable[[], Transform]] = {"flip": Flip, "erase": lambda: Erase(fill=fill)}
    example = "Write for example flip,crop4,cutout8,brightness0.2."
    transforms: list[Transform] = []
    for item in text.lower().split(","):
        parts = re.fullmatch(r"\s*([a-z]*)\s*(\d*\.?\d*)\s*", item)
        name, number = parts.groups() if parts else (item, "")
        if name not in {*make, *alone}:
            known = did_you_mean(name, {*make, *alone})
            raise ArgumentError(f"there is no {item.strip()!r}. {known} {example}", where="augment")
        if name not in (alone if number in ("", ".") else make):
            lack = "takes no number" if number else "needs a number after it"
            raise ArgumentError(f"{name} {lack}; received {item!r}. {example}", where="augment")
        try:
            transforms.append(make[name](float(number)) if number else alone[name]())
        except ArgumentError as error:
            error.message, error.where = f"{error.where} {error.message} {example}", "augment"
            raise
    return Augmentation(*transforms, rng=rng)


def _integer(number: float, name: str) -> int:
    if not number.is_integer():
        raise ArgumentError(f"must be an integer number of pixels, received {number}.", where=name)
    return int(number)
