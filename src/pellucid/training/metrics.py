"""How good a model is on a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import ops
from ..data import Dataset, Loader
from ..errors import DataError
from ..nn import Layer, Loss, evaluating
from ..typing import Array
from .preparation import Engine, machinery

__all__ = ["Evaluation", "evaluate", "predict"]


@dataclass(frozen=True)
class Evaluation:
    """What a model made of a data set.

    Attributes
    ----------
    loss : float
        Mean over the images.
    predictions, labels : integer arrays (N,)
        The class with the largest score; the true one.
    confusion : integer array (K, K)
        How many images of class i (row) were taken for class j (column).
    """

    loss: float
    predictions: Array
    labels: Array
    confusion: Array

    @property
    def accuracy(self) -> float:
        """Share of images whose class was found."""
        return float((self.predictions == self.labels).mean())


def evaluate(
    model: Layer,
    dataset: Dataset,
    *,
    loss: Loss | None = None,
    batch_size: int = 100,
    on_batch: Callable[[int], None] | None = None,
    mirrored: bool = False,
    engine: Engine = "fast",
    run: Callable[[Array], Array] | None = None,
) -> Evaluation:
    """Run ``model`` over every image of ``dataset`` in evaluation mode.

    Parameters
    ----------
    model : Layer
        Returns scores (N, K). Its mode is as before afterwards.
    dataset : Dataset
    loss : Loss, optional
        Softmax cross-entropy by default.
    batch_size : int
        Images at a time; the last batch may be smaller, and every image counts once.
    on_batch : callable, optional
        Called with the number of images after each batch.
    mirrored : bool
        Take the mean of the scores of each image and of its mirror image, left for right, as
        Krizhevsky et al. 2012, section 4.1, do: for things that look alike either way.
    engine : {"fast", "reference"}
        Compute the scores by a plan of compiled kernels, or by the layers themselves.
    run : callable, optional
        What computes them instead: a plan of ``model``, made before for as many images.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> result = evaluate(models.SimpleConvNet((1, 8, 8)), test)
    >>> len(result.predictions), int(result.confusion.sum())
    (359, 359)
    """
    shape = dataset.image_shape
    parts = machinery(engine, model, shape, batch_size, loss, run, frozen=True)
    total, predictions = 0.0, []
    classes = 0
    with evaluating(model):
        for x, labels in Loader(dataset, batch_size, gather=parts.gather):
            scores = _mean_scores(parts.run, x) if mirrored else parts.run(x)
            total += parts.loss(scores, labels) * len(x)
            predictions.append(scores.argmax(axis=1))
            classes = scores.shape[1]
            if on_batch is not None:
                on_batch(len(x))
    predicted = np.concatenate(predictions)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (dataset.labels, predicted), 1)
    return Evaluation(total / len(dataset), predicted, dataset.labels, confusion)


def predict(
    model: Layer,
    x: Array,
    *,
    batch_size: int = 100,
    engine: Engine = "fast",
    run: Callable[[Array], Array] | None = None,
) -> Array:
    """Return the probabilities (N, K) of the classes for images ``x`` (N, C, H, W) in [0, 1].

    Parameters
    ----------
    model : Layer
        Its mode is as before afterwards.
    x : float array (N, C, H, W)
    batch_size : int
        Images at a time.
    engine, run
        As for `evaluate`. Who predicts often makes a plan once: `pellucid.engine.compile`.

    Raises
    ------
    DataError
        If the images are bytes or other integers, on a scale that the model never saw.
    """
    if not np.issubdtype(x.dtype, np.floating):
        raise DataError(
            f"expects images as numbers in [0, 1], received {x.dtype}. `Dataset.batch` returns "
            "such; or divide by the largest pixel value: `(x / 255).astype(np.float32)`.",
            where="predict",
        )
    batch_size = max(1, min(batch_size, len(x)))
    engine = engine if len(x) else "reference"  # a plan is made for one image or more
    run = run or machinery(engine, model, x.shape[1:], batch_size, frozen=True).run
    with evaluating(model):
        starts = range(0, max(1, len(x)), batch_size)
        return np.concatenate([ops.softmax(run(x[k : k + batch_size])) for k in starts])


def _mean_scores(run: Callable[[Array], Array], x: Array) -> Array:
    scores = run(x).copy()  # a plan's next call overwrites its output
    scores += run(np.ascontiguousarray(x[..., ::-1]))
    scores /= 2
    return scores
