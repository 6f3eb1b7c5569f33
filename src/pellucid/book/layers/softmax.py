"""`SoftmaxWithLoss`: the book's last layer."""

from __future__ import annotations

import numpy as np

from ...typing import Array
from ..common.functions import cross_entropy_error, softmax
from ..settings import settings
from .base import BookLayer

__all__ = ["SoftmaxWithLoss"]


class SoftmaxWithLoss(BookLayer):
    """Softmax and cross-entropy, with ``(y - t) / N`` as gradient ("...", section 5.6.3).

    For a single row of scores (K,) with a one-hot label the book mistakes the classes for a batch
    and divides by K; a gradient check then finds the gradient K times too small. This layer does
    the same, except with ``settings.strict``, where it also multiplies by ``dout``.

    Attributes
    ----------
    loss : float
    y, t : arrays
        The last probabilities, float64, and the last labels.

    Examples
    --------
    >>> last = SoftmaxWithLoss()
    >>> round(float(last.forward(np.zeros((2, 4)), np.array([0, 3]))), 4)
    1.3863
    >>> last.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125])
    """

    def __init__(self) -> None:
        self.loss: float | None = None
        self.y: Array | None = None
        self.t: Array | None = None

    def forward(self, x: Array, t: Array) -> float:
        """Return the mean loss of scores (N, K) and labels (N,), or (N, K) one-hot."""
        self.t = t
        self.y = softmax(np.asarray(x, dtype=np.float64))
        self.loss = cross_entropy_error(self.y, t)
        return self.loss

    def backward(self, dout: float = 1) -> Array:
        """Return the gradient for the scores."""
        y, t = self._after_forward(self.y), self._after_forward(self.t)
        if settings.strict:
            return _gradient(np.atleast_2d(y), np.asarray(t)).reshape(y.shape) * dout
        batch_size = t.shape[0]
        if t.size == y.size:
            return (y - t) / batch_size
        dx = y.copy()
        dx[np.arange(batch_size), t] -= 1
        return dx / batch_size


def _gradient(y: Array, t: Array) -> Array:
    """Return ``(y - t) / N`` for rows, and labels in either form."""
    if t.size != y.size:
        t = np.eye(y.shape[1])[t.reshape(len(y))]
    return (y - t.reshape(y.shape)) / len(y)
