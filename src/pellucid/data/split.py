"""Hold out a share of each class of a data set."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from ..errors import ArgumentError, DataError
from ..preparation import HeldOut
from .dataset import Dataset

__all__ = ["held_out_images", "test_files_sha256"]


def held_out_images(
    dataset: Dataset, share: float = 0.2, *, seed: int = 0
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

    Returns
    -------
    train, test : Dataset
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
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(dataset), dtype=bool)
    for label in range(len(dataset.classes)):
        members = np.flatnonzero(dataset.labels == label)
        n = min(max(round(share * len(members)), 1), len(members) - 1)
        chosen[rng.permutation(members)[: max(n, 0)]] = True
    if not chosen.any():
        raise DataError(
            "no class has two images, so none can be held out as test images. Add images.",
            where=dataset.name,
        )
    train = dataset.subset(np.flatnonzero(~chosen))
    test = replace(dataset.subset(np.flatnonzero(chosen)), split="test")
    if dataset.files is None:
        return train, test
    drawn = HeldOut(share, seed, test_files_sha256(test))
    return replace(train, held_out=drawn), replace(test, held_out=drawn)


def test_files_sha256(test: Dataset) -> str:
    """Return the SHA-256 of the names and contents of the files of ``test``, in order."""
    digest = hashlib.sha256()
    for file in test.files or ():
        digest.update(f"{file.path}\0{file.sha256}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
