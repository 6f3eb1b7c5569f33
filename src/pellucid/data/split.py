"""Hold out a share of each class of a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ArgumentError, DataError
from ..preparation import HeldOut
from .dataset import Dataset
from .division import draw, files_sha256

__all__ = ["held_out_images"]


def held_out_images(
    dataset: Dataset, share: float = 0.2, *, seed: int = 0, split: str = "test"
) -> tuple[Dataset, Dataset]:
    """Split a data set in two; the second gets ``share`` of each class, drawn at random.

    A class of two or more images is in both, a class of one image only in the first.

    Parameters
    ----------
    dataset : Dataset
    share : float
        Between 0 and 1.
    seed : int
        The same seed draws the same images.
    split : str
        What the second part is for: ``"test"`` or ``"validation"``.

    Returns
    -------
    train, held : Dataset
        Both in the order of ``dataset``; `Dataset.held_out` says how they were drawn, if the files
        of the images are known.

    Raises
    ------
    ArgumentError
        If the share is not between 0 and 1.
    DataError
        If no class has two images.

    Examples
    --------
    >>> ten = Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), [0] * 6 + [1] * 4)
    >>> train, test = held_out_images(ten, 0.5)
    >>> train.labels, test.labels
    (array([0, 0, 0, 1, 1]), array([0, 0, 0, 1, 1]))
    """
    if not 0 < share < 1:
        raise ArgumentError(f"must be between 0 and 1, received {share!r}.", where="share")
    chosen = draw(dataset.labels, np.ones(len(dataset), dtype=bool), share, seed)
    if not chosen.any():
        raise DataError(
            f"no class has two images, so none can be held out as {split} images. Add images.",
            where=dataset.name,
        )
    train = dataset.subset(np.flatnonzero(~chosen))
    held = replace(dataset.subset(np.flatnonzero(chosen)), split=split)
    if dataset.files is None or split != "test":
        return train, held
    drawn = HeldOut(share, seed, files_sha256(held))
    return replace(train, held_out=drawn), replace(held, held_out=drawn)
