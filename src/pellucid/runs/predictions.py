"""A trained model on all images of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .listener import Listener

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer
    from ..training import Evaluation
    from ..training.preparation import Engine
    from ..typing import Array

__all__ = ["confusion_matrix", "measure", "predictions"]

BATCH = 100  # images at a time


def predictions(
    model: Layer, dataset: Dataset, engine: Engine = "fast", *, listener: Listener | None = None
) -> Array:
    """Return the probabilities (N, K) of the classes for all images, in their order."""
    import numpy as np

    from ..data import Loader
    from ..training import predict
    from ..training.preparation import machinery

    batch = min(BATCH, len(dataset))
    parts = machinery(engine, model, dataset.image_shape, batch, frozen=True)
    found = []
    with (listener or Listener()).measuring(dataset, parts.watched) as advance:
        for x, _ in Loader(dataset, batch, gather=parts.gather):
            found.append(predict(model, x, batch_size=batch, run=parts.run))
            advance(len(x))
    return np.concatenate(found)


def measure(
    model: Layer,
    dataset: Dataset,
    engine: Engine = "fast",
    *,
    mirrored: bool = False,
    listener: Listener | None = None,
) -> Evaluation:
    """Return loss, accuracy and confusion matrix of ``model`` on all images of ``dataset``."""
    from ..training import evaluate
    from ..training.preparation import machinery

    parts = machinery(engine, model, dataset.image_shape, BATCH, frozen=True)
    with (listener or Listener()).measuring(dataset, parts.watched) as advance:
        return evaluate(
            model, dataset, batch_size=BATCH, on_batch=advance, mirrored=mirrored, engine=engine,
            run=parts.run,
        )  # fmt: skip


def confusion_matrix(dataset: Dataset, probabilities: Array) -> Array:
    """Return how many images of each class (rows) were taken for which (columns), as (K, K)."""
    import numpy as np

    matrix = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(matrix, (dataset.labels, probabilities.argmax(axis=1)), 1)
    return matrix
