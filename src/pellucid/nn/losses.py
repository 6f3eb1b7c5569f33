"""Losses as objects: ``forward(scores, labels)`` returns a number, ``backward()`` its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..ops.checks import require_real
from ..typing import Array
from .checks import require_number

__all__ = ["Loss", "MeanSquaredError", "MulticlassHinge", "SoftmaxCrossEntropy"]


class Loss:
    """Base class of losses: the error of a batch's scores as one number."""

    _memory: tuple[Any, ...] | None = None

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean loss of the batch."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self) -> Array:
        """Return the gradient (N, K) for the scores of the last forward."""
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    def __call__(self, scores: Array, labels: Array) -> float:
        """Return the mean loss of the batch."""
        return self.forward(scores, labels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def recall(self) -> tuple[Any, ...]:
        """Return what the last forward cached."""
        if self._memory is None:
            raise ArgumentError("backward needs a forward first.", where=type(self).__name__)
        return self._memory


class SoftmaxCrossEntropy(Loss):
    """``L = -1/N Σ log softmax(x)[label]``; ``∂L/∂x = (softmax(x) - t) / N``.

    Scores (N, K); labels integers (N,) or one-hot (N, K). Source: "Deep Learning from Scratch",
    section 5.6.3.

    Examples
    --------
    >>> loss = SoftmaxCrossEntropy()
    >>> round(loss(np.zeros((2, 4)), np.array([0, 3])), 4)
    1.3863
    >>> loss.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125])
    """

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean cross-entropy."""
        loss, probabilities = ops.softmax_cross_entropy(scores, labels)
        self._memory = (probabilities, labels)
        return loss

    def backward(self) -> Array:
        """Return ``(softmax(x) - t) / N``."""
        return ops.softmax_cross_entropy_backward(*self.recall())


class MulticlassHinge(Loss):
    """``L = 1/N Σ_n Σ_{k≠label} max(0, x_k - x_label + margin)``, the multiclass SVM's loss.

    Scores (N, K); labels integers (N,) or one-hot (N, K). Source: CS231n, "Multiclass SVM loss";
    Weston & Watkins 1999.
    """

    def __init__(self, margin: float = 1.0) -> None:
        require_number(margin, "margin")
        self.margin = margin

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean hinge loss."""
        loss, violated = ops.multiclass_hinge(scores, labels, self.margin)
        self._memory = (violated, labels, scores.dtype)
        return loss

    def backward(self) -> Array:
        """Return 1 for each violated margin, minus their number at the label, over N."""
        violated, labels, dtype = self.recall()
        return ops.multiclass_hinge_backward(violated, labels, dtype=dtype)


class MeanSquaredError(Loss):
    """``L = mean((x - t)²)``; ``∂L/∂x = 2 (x - t) / size``.

    Outputs of any shape; targets of the same shape, or integer labels (N,) for outputs (N, K).
    """

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean of the squared differences."""
        require_real(scores, "loss", "scores")
        require_real(labels, "loss", "labels")
        classes = labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer)
        targets = ops.one_hot(labels, scores) if classes else labels
        self._memory = (scores, targets)
        return ops.mean_squared_error(scores, targets)

    def backward(self) -> Array:
        """Return ``2 (x - t) / size``."""
        return ops.mean_squared_error_backward(*self.recall())
