"""Weights that make up for classes of different sizes."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .dataset import Dataset

__all__ = ["balanced_weights"]


def balanced_weights(dataset: Dataset) -> tuple[float, ...]:
    """Return ``N / (K · N_k)`` for each of K classes with N_k of the N images.

    So every class counts the same in all, and the mean over the images is 1. The same as
    scikit-learn's ``class_weight="balanced"``; King & Zeng 2001, "Logistic regression in rare
    events data", section 4.2.

    Raises
    ------
    DataError
        If a class has no images.

    Examples
    --------
    >>> three = Dataset.from_arrays(np.zeros((3, 1, 2, 2), np.uint8), np.array([0, 1, 1]))
    >>> balanced_weights(three)
    (1.5, 0.75)
    """
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    if not counts.all():
        name = dataset.classes[int(np.argmin(counts))]
        raise DataError(
            f"'{dataset.name}' has no image of class {name!r}, so that its weight is unknown. Give "
            "weights as numbers.",
            where="class_weights",
        )
    return tuple((counts.sum() / (len(counts) * counts)).tolist())
