"""Losses as objects: ``forward(scores, labels)`` returns a number, ``backward()`` its gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..ops.checks import require_real
from ..typing import Array
from .checks import require_number

__all__ = ["Loss", "MeanSquaredError", "MulticlassHinge", "SoftmaxCrossEntropy"]


class Loss:
    """Base class of losses: the error of a batch's scores as one number.

    Attributes
    ----------
    soft_labels : bool
        Whether labels may be rows (N, K) that share an image between classes, as mixup makes.
    """

    soft_labels: bool = False
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

    def plain(self) -> Loss:
        """Return the loss that evaluations report: without what serves the training only."""
        return self

    def config(self) -> dict[str, Any]:
        """Return the constants that a resumed training must have too, as JSON can write them."""
        return {}

    def require_classes(self, classes: int) -> None:
        """Refuse a number of classes that this loss is not for."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def recall(self) -> tuple[Any, ...]:
        """Return what the last forward cached."""
        if self._memory is None:
            raise ArgumentError("backward needs a forward first.", where=type(self).__name__)
        return self._memory


class SoftmaxCrossEntropy(Loss):
    """``L = -1/N Σ log softmax(x)[label]``; ``∂L/∂x = (softmax(x) - t) / N``.

    Scores (N, K); labels integers (N,), or rows (N, K) that sum to 1. Source: "Deep Learning from
    Scratch", section 5.6.3. Weights and smoothing: `pellucid.ops.cross_entropy_targets`.

    Parameters
    ----------
    class_weights : sequence of K floats, optional
        How much an image of each class counts, above 0; the mean over a batch is weighted by them.
    label_smoothing : float
        Share of each target that is spread evenly over all classes, from 0 to below 1.

    Both serve training only: `plain`, which the Trainer evaluates with, has neither.

    Examples
    --------
    >>> loss = SoftmaxCrossEntropy()
    >>> round(loss(np.zeros((2, 4)), np.array([0, 3])), 4)
    1.3863
    >>> loss.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125])
    >>> SoftmaxCrossEntropy(label_smoothing=0.1)
    SoftmaxCrossEntropy(label_smoothing=0.1)
    """

    soft_labels = True
    class_weights: tuple[float, ...] | None = None
    label_smoothing: float = 0.0

    def __init__(
        self, class_weights: Iterable[float] | None = None, label_smoothing: float = 0.0
    ) -> None:
        self.class_weights = None if class_weights is None else _weights(class_weights)
        require_number(label_smoothing, "label_smoothing", 0)
        if label_smoothing >= 1:
            raise ArgumentError(
                f"must be at least 0 and below 1, received {label_smoothing!r}.",
                where="label_smoothing",
            )
        self.label_smoothing = float(label_smoothing)

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean cross-entropy."""
        loss, probabilities = ops.softmax_cross_entropy(scores, labels, **self._constants())
        self._memory = (probabilities, labels)
        return loss

    def backward(self) -> Array:
        """Return ``(softmax(x) - t) / N``, or that of weighted and smoothed targets."""
        return ops.softmax_cross_entropy_backward(*self.recall(), **self._constants())

    def plain(self) -> SoftmaxCrossEntropy:
        """Return the loss without weights and smoothing."""
        plain = self.class_weights is None and not self.label_smoothing
        return self if plain else SoftmaxCrossEntropy()

    def config(self) -> dict[str, Any]:
        """Return the weights and the smoothing."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {"class_weights": weights, "label_smoothing": self.label_smoothing}

    def __repr__(self) -> str:
        given = {name: value for name, value in self.config().items() if value}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"

    def require_classes(self, classes: int) -> None:
        """Refuse another number of classes than there are weights."""
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ArgumentError(
                f"must be one number for each of {classes} classes, received "
                f"{len(self.class_weights)}.",
                where="class_weights",
            )

    def _constants(self) -> dict[str, Any]:
        weights = None if self.class_weights is None else np.array(self.class_weights)
        return {"class_weights": weights, "label_smoothing": self.label_smoothing}


class MulticlassHinge(Loss):
    """``L = 1/N Σ_n Σ_{k≠label} max(0, x_k - x_label + margin)``, the multiclass SVM's loss.

    Scores (N, K); labels integers (N,) or one-hot (N, K). Source: CS231n, "Multiclass SVM loss";
    Weston & Watkins 1999.
    """

    def __init__(self, margin: float = 1.0) -> None:
        require_number(margin, "margin")
        self.margin = margin

    def config(self) -> dict[str, Any]:
        """Return the margin."""
        return {"margin": float(self.margin)}

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

    soft_labels = True

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


def _weights(values: Iterable[float]) -> tuple[float, ...]:
    """Return the weights of classes, if each is a finite number above 0."""
    weights = np.asarray(list(values))
    numbers = weights.ndim == 1 and weights.size and weights.dtype.kind in "iuf"
    if not numbers or not np.all(np.isfinite(weights)) or weights.min() <= 0:
        raise ArgumentError(
            f"must be a finite number above 0 for each class, received {weights.tolist()}. To "
            "leave a class out, leave out its images.",
            where="class_weights",
        )
    return tuple(map(float, weights))
