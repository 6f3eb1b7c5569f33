"""Checks of the scale of images: scores for 0 to 255 are wrong after training on [0, 1]."""

from __future__ import annotations

import numpy as np

from ..data import Dataset
from ..data.checks import divided
from ..errors import DataError
from ..nn import Layer
from ..typing import Array

__all__ = ["Range", "require_finite", "require_known", "require_range", "value_range"]

Range = tuple[float, float]

MARGIN = 0.5  # share of a range's width by which images may exceed it, as by brightness or noise
DARKEST = 0.05  # smallest maximum of images on [0, 1]; below it, they were divided twice
LARGEST = 2.0  # allowed maximum for a model without a known range


def value_range(dataset: Dataset) -> Range | None:
    """Return the smallest and the largest number that `Dataset.batch` returns.

    For bytes, those of bytes 0 and 255: dark and bright pictures have the same scale. None if all
    numbers are equal.

    Examples
    --------
    >>> bytes = np.array([10, 128], dtype=np.uint8).reshape(2, 1, 1, 1)
    >>> value_range(Dataset.from_arrays(bytes, [0, 1]))
    (0.0, 1.0)
    >>> value_range(Dataset.from_arrays(bytes / 256, [0, 1]))
    (0.0390625, 0.5)
    """
    images, peak = dataset.images, float(dataset.peak)
    if images.dtype == np.uint8:
        low, high = 0.0, 255.0 if peak >= 255 else max(peak, float(images.max()))
    else:
        low, high = float(images.min()), float(images.max())
    return (low / peak, high / peak) if low < high else None


def require_known(model: Layer, found: Range | None, where: str, *, images: bool = True) -> None:
    """Refuse images on another scale than those that ``model`` was trained on.

    They may exceed its range by half its width at either end. For a model without a range, only
    images without negative numbers that exceed 2 are refused.
    """
    if found is None:
        return
    known = model.card.value_range if model.card else None
    if known is not None:
        require_range(known, found, "the model was trained on numbers", where)
    elif images and found[0] >= 0 and found[1] > LARGEST:
        raise DataError(
            f"expects images as numbers in [0, 1], received ones up to {found[1]:g}. "
            f"{divided(found[1], 'x')} If the model was trained on these, give it a card: "
            f"`nn.Card(..., value_range=({found[0]:g}, {found[1]:g}))`.",
            where=where,
        )


def require_range(known: Range, found: Range, what: str, where: str) -> None:
    """Refuse a range far beyond the ``known`` one, which belongs to ``what``.

    Within [0, 1] dark and bright images have the same scale.
    """
    low, high = known
    if low >= 0 and DARKEST < high <= 1:
        low, high = 0.0, 1.0
    margin = MARGIN * (high - low)
    if low - margin <= found[0] and found[1] <= high + margin:
        return
    bytes = found[0] >= 0 and (low, high) == (0, 1)
    advice = divided(found[1], "x") if bytes else "Prepare them as the training images were."
    raise DataError(
        f"{what} from {low:.4g} to {high:.4g}, received {found[0]:.4g} to {found[1]:.4g}. {advice}",
        where=where,
    )


def require_finite(x: Array, where: str) -> Range | None:
    """Return the smallest and the largest number of images ``x``; refuse NaN and infinity."""
    if not x.size:
        return None
    low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        spoiled = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise DataError(
            f"{len(spoiled)} of {len(x)} images contain NaN or infinity, the first at index "
            f"{spoiled[0]}. Repair them, or leave them out.",
            where=where,
        )
    return low, high
