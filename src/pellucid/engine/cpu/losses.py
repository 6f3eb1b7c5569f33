"""A loss and its gradient by one kernel, for the layers of `pellucid.nn.losses`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...distributed import Share
from ...kernels import losses
from ...nn import Loss, MeanSquaredError, MulticlassHinge, SoftmaxCrossEntropy
from ...ops.losses import cross_entropy_targets, one_hot
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

    What no kernel is for (other types, a loss of one's own, one-hot labels unless the loss is the
    cross-entropy) the loss itself computes, for the whole batch.

    Parameters
    ----------
    loss : Loss
        Its attributes are read at each call.
    share : Share, optional
        Which images of a batch the scores are of; all by default.

    Examples
    --------
    >>> loss = FusedLoss(SoftmaxCrossEntropy())
    >>> round(loss(np.zeros((2, 4), np.float32), np.array([0, 3])), 4)
    1.3863
    >>> loss.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125], dtype=float32)
    """

    def __init__(self, loss: Loss, share: Share | None = None) -> None:
        self.loss, self.share = loss, share or Share()
        self._dy = np.empty((0, 0), dtype=np.float32)  # room; it grows to the largest batch

    def forward(self, scores: Array, labels: Array) -> float:
        """Return the mean loss of the whole batch, on every process that shares it.

        ``scores`` and ``labels`` are this process's, perhaps none.
        """
        self._memory = None
        if self.share.alone:
            self.share.begin(len(scores))
        if not self._fits(scores):
            return self._without_kernel(scores, labels)
        soft = self._soft(labels)
        if soft is not None:
            q, total = self._targets(scores, labels, *soft)
            return self._run(losses.soft_cross_entropy, scores, q, total, total)
        if not _are_classes(labels, scores):
            return self._without_kernel(scores, labels)
        kernel, constants = KERNELS[type(self.loss)]
        # One signature a kernel: no array that cannot be written to, and one type of labels.
        classes, images = np.require(labels, np.int64, ["C", "W"]), self.share.images
        loss = self._run(kernel, scores, classes, images, images, *constants(self.loss))
        if loss != loss and len(classes):
            one_hot(classes, scores)  # refuses a label outside [0, K)
        return loss

    def _run(
        self, kernel: Any, scores: Array, targets: Array, total: float, *constants: float
    ) -> float:
        """Run the kernel, which leaves the gradient; return the sum of the losses by ``total``."""
        rows, classes = scores.shape
        if len(self._dy) < rows or self._dy.shape[1] != classes:
            self._dy = np.empty((rows, classes), dtype=np.float32)
        dy, bounds = self._dy[:rows], self.share.bounds(self.share.chunks)
        parts = np.empty(len(bounds) - 1)
        work = scores.size * WORK
        launch(kernel, len(parts), work, scores, targets, dy, parts, bounds, *constants)
        self._memory = (dy,)
        return float(self.share.total(parts)) / total

    def _targets(
        self, scores: Array, labels: Array, weights: Array | None, smoothing: float
    ) -> tuple[Array, float]:
        """Return the targets of these images, and the sum of the weights of the whole batch."""
        bounds, each = self.share.bounds(self.share.chunks), np.zeros(len(scores))
        q = np.zeros_like(scores)
        if len(scores):
            q, _ = cross_entropy_targets(labels, scores, weights, smoothing)
            q = np.require(q, np.float32, ["C", "W"])
        if weights is None:
            return q, float(self.share.images)
        if len(scores):
            each = weights[labels] if labels.ndim == 1 else (labels * weights).sum(axis=1)
        parts = [each[first:last].sum(dtype=np.float64) for first, last in pairwise(bounds)]
        return q, float(self.share.total(np.array(parts)))

    def _without_kernel(self, scores: Array, labels: Array) -> float:
        """Have the loss itself compute that of the whole batch, which every process gets.

        It may be another function of the batch than a mean over the images.
        """
        share = self.share
        if share.alone:
            return self.loss(scores, labels)
        parts = zip(*share.communicator.gather((scores, labels)), strict=True)
        loss = self.loss(*map(_whole, parts))
        mine, dy = share.part(share.images), self.loss.backward()
        if isinstance(dy, tuple):  # of several outputs, some without a gradient
            self._memory = (tuple(g if g is None else g[mine] for g in dy),)
        else:
            self._memory = (dy[mine],)
        return float(share.communicator.broadcast(loss))

    def backward(self) -> Array:
        """Return the gradient for the scores, in a buffer that the next forward overwrites."""
        if self._memory is None:
            return self.loss.backward()
        return self._memory[0]

    def _fits(self, scores: Array) -> bool:
        return (
            type(self.loss) in KERNELS
            and isinstance(scores, np.ndarray)
            and scores.dtype == np.float32
            and scores.ndim == 2
            and scores.flags.carray
            and scores.shape[1] > 0
            and (len(scores) > 0 or not self.share.alone)
        )

    def _soft(self, labels: Array) -> tuple[Array | None, float] | None:
        """Return class weights and smoothing, if the cross-entropy needs targets (N, K)."""
        loss = self.loss
        if type(loss) is not SoftmaxCrossEntropy or not isinstance(labels, np.ndarray):
            return None
        if loss.class_weights is None:
            soft = loss.label_smoothing or labels.ndim == 2
            return (None, loss.label_smoothing) if soft else None
        return np.asarray(loss.class_weights, dtype=np.float64), loss.label_smoothing

    def __repr__(self) -> str:
        return repr(self.loss)


def _whole(parts: Sequence[Any]) -> Any:
    """Return the parts of all processes as one array, or as one tuple of arrays."""
    if isinstance(parts[0], tuple):
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))
    return np.concatenate(parts)


def _are_classes(labels: Array, scores: Array) -> bool:
    """Return whether the labels are integers (N,)."""
    return (
        isinstance(labels, np.ndarray)
        and labels.shape == scores.shape[:1]
        and labels.dtype.kind in "iu"
    )
