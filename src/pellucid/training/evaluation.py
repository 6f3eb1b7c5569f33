"""What an evaluation found: loss, predictions, results by class, calibration."""

from __future__ import annotations

from dataclasses import dataclass

from ..class_metrics import ClassMetrics
from ..typing import Array
from .calibration import Calibration

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """The result of evaluating a model on a data set.

    Attributes
    ----------
    loss : float
        Mean over the images.
    predictions, labels : integer arrays (N,)
        The predicted and the true classes.
    confusion : integer array (K, K)
        Number of images of class i (row) predicted as class j (column).
    classes : tuple of str
        The names of the classes, as far as they are known.
    calibration : Calibration, optional
        Whether the model is right as often as its probabilities (the softmax of its scores) say.
    """

    loss: float
    predictions: Array
    labels: Array
    confusion: Array
    classes: tuple[str, ...] = ()
    calibration: Calibration | None = None

    @property
    def accuracy(self) -> float:
        """Share of correctly predicted images."""
        return float((self.predictions == self.labels).mean())

    @property
    def by_class(self) -> ClassMetrics:
        """Precision, recall and F1 of each class."""
        return ClassMetrics.of(self.confusion)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes: each counts the same, however many images it has."""
        return self.by_class.balanced_accuracy

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes, each counted the same."""
        return self.by_class.macro_f1

    def _repr_html_(self) -> str:
        from .pages import evaluation_html

        return evaluation_html(self)
