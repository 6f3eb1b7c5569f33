"""A trained model on all images of a data set."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .listener import Listener

if TYPE_CHECKING:
    from ..data import Dataset
    from ..distributed import Communicator
    from ..nn import Layer
    from ..training import Evaluation
    from ..training.engines import EngineLike
    from ..typing import Array

__all__ = ["confusion_matrix", "measure", "predictions", "scores"]

BATCH = 100  # images at a time


def predictions(
    model: Layer,
    dataset: Dataset,
    engine: EngineLike = "compiled",
    *,
    listener: Listener | None = None,
) -> Array:
    """Return the probabilities (N, K) of the classes for all images, in their order."""
    import numpy as np

    from ..ops import softmax

    with np.errstate(under="ignore"):
        return softmax(scores(model, dataset, engine, listener=listener))


def scores(
    model: Layer,
    dataset: Dataset,
    engine: EngineLike = "compiled",
    *,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Array:
    """Return the scores (N, K), whose softmax are the probabilities, in the order of the images."""
    import numpy as np

    from ..data.dealing import DealtLoader, in_order
    from ..distributed import Solo, agreed
    from ..training import scores
    from ..training.engines import as_engine

    ranks: Communicator = communicator or Solo()
    batch = min(BATCH, len(dataset))
    engine = as_engine(engine)
    run = engine.prepare(model, dataset.image_shape, batch, frozen=True)
    watched = partial(engine.watched, run, training=False)
    loader = DealtLoader(dataset, batch, rank=ranks.rank, size=ranks.size, gather=engine.gather())

    def work() -> list[Array]:
        found = []
        with (listener or Listener()).measuring(dataset, watched) as advance:
            for x, _ in loader:
                found.append(scores(model, x, batch_size=batch, run=run))
                advance(ranks.size * len(x))
        return found

    return np.concatenate(in_order(ranks.gather(agreed(ranks, work))))


def measure(
    model: Layer,
    dataset: Dataset,
    engine: EngineLike = "compiled",
    *,
    mirrored: bool = False,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Evaluation:
    """Return loss, accuracy and confusion matrix of ``model`` on all images of ``dataset``.

    With a communicator the ranks, all of which call this, share the images.
    """
    from ..training import evaluate
    from ..training.engines import as_engine

    engine = as_engine(engine)
    run = engine.prepare(model, dataset.image_shape, BATCH, frozen=True)
    watched = partial(engine.watched, run, training=False)
    ranks = 1 if communicator is None else communicator.size
    with (listener or Listener()).measuring(dataset, watched) as advance:
        return evaluate(
            model, dataset, batch_size=BATCH, mirrored=mirrored, engine=engine, run=run,
            on_batch=lambda images: advance(ranks * images), communicator=communicator,
        )  # fmt: skip


def confusion_matrix(dataset: Dataset, probabilities: Array) -> Array:
    """Return how many images of each class (rows) were taken for which (columns), as (K, K)."""
    import numpy as np

    matrix = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(matrix, (dataset.labels, probabilities.argmax(axis=1)), 1)
    return matrix
