"""Precision, recall and F1 of each class, and their means, from a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .errors import ShapeError

if TYPE_CHECKING:
    from .typing import Array

__all__ = ["ClassMetrics"]


@dataclass(frozen=True, eq=False)
class ClassMetrics:
    """The results of each class, and means in which rare classes count as much as frequent ones.

        recall[k] = C[k,k] / Σ_j C[k,j]        precision[k] = C[k,k] / Σ_i C[i,k]
        F1[k] = 2 C[k,k] / (Σ_j C[k,j] + Σ_i C[i,k])

    with C[i,j] the number of images of class i predicted as class j. Where a denominator is 0 the
    value is NaN, and the means leave it out. (Sokolova & Lapalme, "A systematic analysis of
    performance measures for classification tasks", 2009, section 3; balanced accuracy: Brodersen et
    al., "The balanced accuracy and its posterior distribution", 2010, section II.)

    Attributes
    ----------
    support : integer array (K,)
        Number of images of each class.
    precision, recall, f1 : float64 arrays (K,)

    Examples
    --------
    >>> import numpy as np
    >>> result = ClassMetrics.of(np.array([[90, 0], [5, 5]]))  # 90 images of one class, 10 of one
    >>> result.recall, round(result.balanced_accuracy, 3), round(result.macro_f1, 3)
    (array([1. , 0.5]), 0.75, 0.82)
    """

    support: Array
    precision: Array
    recall: Array
    f1: Array

    @classmethod
    def of(cls, confusion: Array) -> Self:
        """Return the results that a confusion matrix (K, K) holds; rows are true classes.

        Raises
        ------
        ShapeError
            If the matrix is not square.
        """
        import numpy as np

        matrix = np.asarray(confusion)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ShapeError(
                f"expects a confusion matrix (K, K), received {matrix.shape}.", where="ClassMetrics"
            )
        right = np.diag(matrix)
        support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)

        def share(part: Array, whole: Array) -> Array:
            return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)

        return cls(
            support,
            share(right, predicted),
            share(right, support),
            share(2 * right, support + predicted),
        )

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that occur: 1/K for guessing, however unequal the classes."""
        return _mean(self.recall)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur or are predicted."""
        return _mean(self.f1)

    @property
    def weighted_f1(self) -> float:
        """Mean F1, each class weighted by its number of images."""
        some = self.support > 0
        total = self.support[some].sum()
        return float((self.f1[some] * self.support[some]).sum() / total) if total else float("nan")


def _mean(values: Array) -> float:
    known = values[values == values]  # NaN is unequal to itself
    return float(known.mean()) if len(known) else float("nan")
