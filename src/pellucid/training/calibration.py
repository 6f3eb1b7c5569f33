"""Calibration: whether a network is right as often as its probabilities say.

Source: Guo et al., "On calibration of modern neural networks", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from ..errors import DataError
from ..ops.losses import one_hot
from ..typing import Array
from .preparation import require_count

__all__ = ["BINS", "Calibration", "Confidences", "calibrated"]

BINS = 15  # as Guo et al. 2017, section 5
ROWS = 4096  # images at a time


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well probabilities are calibrated: a reliability diagram, and numbers that sum it up.

    The confidence of a prediction is the probability of the predicted class. Bin m of M holds the
    images with a confidence in ((m-1)/M, m/M]. (Guo et al. 2017, section 2.)

        ECE = Σ_m counts[m] / N · |accuracies[m] - confidences[m]|
        MCE = max_m |accuracies[m] - confidences[m]|

    Attributes
    ----------
    counts : integer array (M,)
        Images in each bin.
    confidences, accuracies : float64 arrays (M,)
        Mean confidence, and share of correct predictions, in each bin; NaN in an empty one.
    nll : float
        Mean negative log-likelihood: the cross-entropy of the probabilities.
    brier : float
        Mean of Σ_k (p[k] - t[k])² over the images: 0 at best, 2 at worst. (Brier, "Verification of
        forecasts expressed in terms of probability", 1950.)

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    >>> found = Calibration.of(probabilities, np.array([0, 1, 0, 1]), bins=5)
    >>> found.counts, round(found.ece, 3), round(found.mce, 3)
    (array([0, 0, 1, 1, 2]), 0.35, 0.4)
    """

    counts: Array
    confidences: Array
    accuracies: Array
    nll: float
    brier: float

    @classmethod
    def of(cls, probabilities: Array, labels: Array, *, bins: int = BINS) -> Calibration:
        """Return the calibration of probabilities (N, K) for labels (N,).

        Raises
        ------
        ShapeError, DataError
            If the labels do not fit, or a row is not one of probabilities.
        """
        given = np.asarray(probabilities)
        t = one_hot(np.asarray(labels), given)
        if (given < 0).any() or not np.allclose(given.sum(axis=1)[~np.isnan(given).any(axis=1)], 1):
            raise DataError(
                "expects probabilities, which are 0 or more and sum to 1 in each row. Make them of "
                "scores with `pellucid.ops.softmax(scores)`.",
                where="Calibration.of",
            )
        parts = [
            Confidences.of(given[k : k + ROWS].astype(np.float64), t[k : k + ROWS].argmax(axis=1))
            for k in range(0, len(given), ROWS)
        ]
        return calibrated(parts, bins)

    @property
    def edges(self) -> Array:
        """The ends of the bins, (M + 1,)."""
        return np.linspace(0, 1, len(self.counts) + 1)

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy."""
        some = self.counts > 0
        return float((self.counts * self._gaps)[some].sum() / self.counts.sum())

    @property
    def mce(self) -> float:
        """Maximum calibration error: the largest gap of any bin, however few images are in it."""
        return float(self._gaps[self.counts > 0].max())

    @property
    def confidence(self) -> float:
        """Mean confidence over all images, to compare with the accuracy."""
        some = self.counts > 0
        return float((self.counts * self.confidences)[some].sum() / self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of correctly predicted images."""
        some = self.counts > 0
        return float((self.counts * self.accuracies)[some].sum() / self.counts.sum())

    @property
    def _gaps(self) -> Array:
        return np.abs(self.accuracies - self.confidences)


class Confidences(NamedTuple):
    """What a `Calibration` needs of a batch: two numbers for each image, and two sums."""

    confidences: Array
    right: Array
    nll: float
    brier: float

    @classmethod
    @np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore")
    def of(cls, probabilities: Array, labels: Array) -> Self:
        """Return those of probabilities (N, K) with labels (N,)."""
        rows = np.arange(len(labels))
        predicted = probabilities.argmax(axis=1)
        true = probabilities[rows, labels].astype(np.float64)
        # Σ (p - t)² = Σ p² - 2 p[true] + 1
        squares = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
        return cls(
            probabilities[rows, predicted],
            predicted == labels,
            -float(np.log(np.maximum(true, np.finfo(probabilities.dtype).tiny)).sum()),
            float((squares - 2 * true + 1).sum()),
        )


def calibrated(batches: Sequence[Confidences], bins: int = BINS) -> Calibration:
    """Return the calibration of all batches; its last bits depend on their order."""
    require_count(bins, "bins")
    confidence = np.concatenate([batch.confidences for batch in batches]).astype(np.float64)
    right = np.concatenate([batch.right for batch in batches])
    edges = np.linspace(0, 1, bins + 1)
    # The first edge that is not below the confidence ends its bin. NaN goes into the last bin.
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, w, minlength=bins) for w in (confidence, right))
    nothing = np.full(bins, np.nan)
    means = [np.divide(s, counts, out=nothing.copy(), where=counts > 0) for s in sums]
    n = len(confidence)
    nll, brier = sum(batch.nll for batch in batches), sum(batch.brier for batch in batches)
    return Calibration(counts, means[0], means[1], nll / n, brier / n)
