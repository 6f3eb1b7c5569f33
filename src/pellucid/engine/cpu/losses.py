"""A loss and its gradient by one kernel, for the layers of `pellucid.nn.losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...kernels import losses
from ...kernels.tree import fewest_chunks, tree_sum
from ...nn import Loss, MeanSquaredError, MulticlassHinge, SoftmaxCrossEntropy
from ...ops.losses import one_hot
from ...typing import Array
from .launch import launch

__all__ = ["FusedLoss"]

# By the class itself: a subclass computes what it likes.
KERNELS: dict[type[Loss], tuple[Callable[..., Any], Callable[[Any], tuple[float, ...]]]] = {
    SoftmaxCrossEntropy: (losses.cross_entropy, lambda loss: ()),
    MulticlassHinge: (losses.multiclass_hinge, lambda loss: (loss.margin,)),
    MeanSquaredError: (losses.squared_error, lambda loss: ()),
}

WORK = 20  # of a number of the scores, with its exponential, in products


class FusedLoss(Loss):
    """Stands for ``loss``: the same numbers and the same refusals, the gradient known at once.

    What no kernel is for (one-hot labels, other types, a loss of one's own) the loss itself
    computes.

    Parameters
    ----------
    loss : Loss
        Its attributes are read at each call.

    Examples
    --------
    >>> loss = FusedLoss(SoftmaxCrossEntropy())
    >>> round(loss(np.zeros((2, 4), np.float32), np.array([0, 3])), 4)
    1.3863
    >>> loss.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125], dtype=float32)
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self._chunks = fewest_chunks()
        self._dy = np.empty((0, 0), dtype=np.float32)  # room; it grows to the largest batch

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean loss of the batch."""
        self._memory = None
        if not self._fits(scores, labels):
            return self.loss(scores, labels)
        (rows, classes), (kernel, constants) = scores.shape, KERNELS[type(self.loss)]
        if len(self._dy) < rows or self._dy.shape[1] != classes:
            self._dy = np.empty((rows, classes), dtype=np.float32)
        # One signature a kernel: no array that cannot be written to, and one type of labels.
        labels = np.require(labels, np.int64, ["C", "W"])
        dy, parts = self._dy[:rows], np.empty(self._chunks)
        work = scores.size * WORK
        launch(kernel, len(parts), work, scores, labels, dy, parts, *constants(self.loss))
        loss = float(tree_sum(parts)) / rows
        if loss != loss:
            one_hot(labels, scores)  # refuses a label outside [0, K)
        self._memory = (dy,)
        return loss

    def backward(self) -> Array:
        """Return the gradient for the scores, in a buffer that the next forward overwrites."""
        if self._memory is None:
            return self.loss.backward()
        return self._memory[0]

    def _fits(self, scores: Array, labels: Array) -> bool:
        return (
            type(self.loss) in KERNELS
            and isinstance(scores, np.ndarray)
            and isinstance(labels, np.ndarray)
            and scores.dtype == np.float32
            and scores.ndim == 2
            and scores.flags.carray
            and scores.size > 0
            and labels.shape == scores.shape[:1]
            and labels.dtype.kind in "iu"
        )

    def __repr__(self) -> str:
        return repr(self.loss)
