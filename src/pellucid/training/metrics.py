"""Evaluation and prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import ops
from ..data import Dataset
from ..data.dealing import DealtLoader, in_order
from ..display.compiling import announced
from ..distributed import Communicator, Solo, agreed
from ..errors import DataError, ShapeError
from ..names import listed
from ..nn import Layer, Loss, SoftmaxCrossEntropy
from ..nn.checks import require_one_output
from ..precision import Precision
from ..typing import Array
from .calibration import Confidences, calibrated
from .engines import Engine, EngineLike, NumpyEngine, as_engine
from .evaluation import Evaluation
from .given import Images, as_data, require_classes
from .inputs import axes_hint, require_floats
from .kept_plans import prepared_run
from .preparation import require_count
from .scale import require_finite, require_known, value_range

__all__ = ["evaluate", "predict", "require_known_classes", "sample", "scores"]


@np.errstate(under="ignore")
def evaluate(
    model: Layer,
    dataset: Images,
    *,
    loss: Loss | None = None,
    batch_size: int = 100,
    on_batch: Callable[[int], None] | None = None,
    mirrored: bool = False,
    engine: EngineLike = "compiled",
    precision: Precision = "float32",
    run: Callable[[Array], Array] | None = None,
    communicator: Communicator | None = None,
) -> Evaluation:
    """Run ``model`` over every image of ``dataset`` in evaluation mode.

    Parameters
    ----------
    model : Layer
        Returns scores (N, K). Its mode is restored afterwards.
    dataset : Dataset or (images, labels)
    loss : Loss, optional
        Softmax cross-entropy by default.
    batch_size : int
        Images at a time; the last batch may be smaller, and every image counts once.
    on_batch : callable, optional
        Called with the number of images after each batch of this process.
    mirrored : bool
        Average the scores of each image and its horizontal flip, as Krizhevsky et al. 2012, section
        4.1, do: for objects without a left and right.
    engine : {"compiled", "numpy"} or Engine
        Compute the scores by a plan of compiled kernels, or by the layers themselves.
    precision : "float32" or "bf16"
        What the factors of large products are rounded to: see `pellucid.engine.compile`.
    run : callable, optional
        Computes the scores instead: a plan of ``model`` for at least this batch size.
    communicator : Communicator, optional
        The processes that share the work, batch by batch. All call this, with equal arguments, and
        get the result that one alone would get, bit for bit.

    Raises
    ------
    DataError
        If the images are on another scale than the training images, as in `predict`, or if the
        classes have other names than the model's (``model.card``); numbered classes, as of
        `Dataset.from_arrays`, are not compared. With ``run`` neither is checked.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> result = evaluate(models.SimpleConvNet((1, 8, 8)), test)
    >>> len(result.predictions), int(result.confusion.sum())
    (359, 359)
    """
    ranks: Communicator = communicator or Solo()
    dataset = as_data(dataset, "evaluate")

    def work() -> list[_Measured]:
        require_one_output(model, "evaluate")
        require_count(batch_size, "batch_size")
        if run is None:
            require_known_classes(model, dataset, "evaluate")
            require_known(model, value_range(dataset), "evaluate")
        how = as_engine(engine, precision)
        size = min(batch_size, len(dataset))  # a plan allocates memory for a whole batch
        runs = run or how.prepare(model, dataset.image_shape, size, frozen=True)
        plain = how.loss(SoftmaxCrossEntropy() if loss is None else loss)
        found = []
        with model.evaluating(), nullcontext() if run is not None else _told(how)(runs):
            for x, labels in _dealt(dataset, size, how, ranks):
                scores = _mean_scores(runs, x) if mirrored else runs(x)
                found.append(_Measured.of(scores, labels, plain))
                if on_batch is not None:
                    on_batch(len(x))
        return found

    found = in_order(ranks.gather(agreed(ranks, work)))
    losses = [one.loss for one in found]
    predicted = np.concatenate([one.predicted for one in found])
    classes = found[0].classes
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (dataset.labels, predicted), 1)
    # An exact sum: in whatever order, and on however many processes, the batches come.
    total = math.fsum(losses) if np.isfinite(losses).all() else sum(losses)
    names = dataset.classes if len(dataset.classes) == classes else ()
    return Evaluation(
        total / len(dataset), predicted, dataset.labels, confusion, names,
        calibrated([one.confidences for one in found]),
    )  # fmt: skip


@np.errstate(under="ignore")
def predict(
    model: Layer,
    x: npt.ArrayLike | Dataset,
    *,
    batch_size: int = 100,
    engine: EngineLike = "compiled",
    precision: Precision = "float32",
    run: Callable[[Array], Array] | None = None,
    communicator: Communicator | None = None,
) -> Array:
    """Return the probabilities (N, K) of the classes for images ``x`` (N, C, H, W).

    Several threads may predict with one model, even while another one trains it: evaluation mode is
    per thread, and the training is not disturbed. (Weights are read as they are: some may be one
    step ahead of others.)

    Parameters
    ----------
    model : Layer
        Its mode is restored afterwards.
    x : float array (N, C, H, W), or Dataset
        On the scale of the training images, usually [0, 1].
    batch_size : int
        Images at a time.
    engine, precision, run, communicator
        As for `evaluate`. The model keeps the plans of the last calls, one a thread, and the next
        call of the same shape uses one: the weights may have changed by then, in place or by
        training; where the layers have, another plan is compiled.

    Raises
    ------
    DataError
        If the images are bytes or other integers, or not finite; if they exceed the range of the
        training images (``model.card.value_range``) by more than half its width. For a model
        without a range, images without negative numbers that exceed 2 are refused.
    ShapeError
        If the model does not take images of this shape.

    Examples
    --------
    >>> from pellucid import data, models
    >>> _, test = data.digits()
    >>> predict(models.SimpleConvNet((1, 8, 8)), test.take(3)).shape
    (3, 10)
    """
    return ops.softmax(
        scores(
            model,
            x,
            batch_size=batch_size,
            engine=engine,
            precision=precision,
            run=run,
            communicator=communicator,
        )
    )


@np.errstate(under="ignore")
def scores(
    model: Layer,
    x: npt.ArrayLike | Dataset,
    *,
    batch_size: int = 100,
    engine: EngineLike = "compiled",
    precision: Precision = "float32",
    run: Callable[[Array], Array] | None = None,
    communicator: Communicator | None = None,
) -> Array:
    """Return what ``model`` computes for images ``x`` in evaluation mode: the scores (N, K).

    Their softmax are the probabilities that `predict` returns. Parameters and errors are those of
    `predict`.

    Examples
    --------
    >>> from pellucid import data, models
    >>> _, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8))
    >>> found = scores(model, test.take(3))
    >>> bool((ops.softmax(found) == predict(model, test.take(3))).all())
    True
    """
    ranks: Communicator = communicator or Solo()

    def work() -> list[Array]:
        require_count(batch_size, "batch_size")
        require_one_output(model, "predict")
        return _own_scores(model, x, batch_size, as_engine(engine, precision), run, ranks)

    return np.concatenate(in_order(ranks.gather(agreed(ranks, work))))


def _own_scores(
    model: Layer,
    x: npt.ArrayLike | Dataset,
    batch_size: int,
    how: Engine,
    run: Callable[[Array], Array] | None,
    ranks: Communicator,
) -> list[Array]:
    """Return the scores of each batch that is this rank's."""
    batches: Iterable[Array]
    if isinstance(x, Dataset):
        require_known(model, value_range(x), "predict")
        shape, size = x.image_shape, min(batch_size, len(x))
        batches = (images for images, _ in _dealt(x, size, how, ranks))
    else:
        x = require_floats(x, "predict")
        require_known(model, require_finite(x, "predict"), "predict", images=x.ndim == 4)
        shape, size = x.shape[1:], max(1, min(batch_size, len(x)))
        how = how if len(x) else NumpyEngine()  # a plan needs at least one image
        starts = range(0, max(1, len(x)), size)[ranks.rank :: ranks.size]
        batches = (x[k : k + size] for k in starts)
    try:
        ready: AbstractContextManager[Callable[[Array], Array]] = (
            prepared_run(how, model, shape, size, _told(how)) if run is None else nullcontext(run)
        )
        with ready as runs, model.evaluating():
            return [runs(images).copy() for images in batches]  # a plan reuses it
    except ShapeError as error:
        if not isinstance(x, Dataset):
            error.message += axes_hint(model, x.shape)
        raise


def require_known_classes(model: Layer, dataset: Dataset, where: str) -> None:
    """Refuse a data set whose classes have other names than the model's."""
    known, given = model.card.classes if model.card else (), dataset.classes
    named = [names for names in (known, given) if names != tuple(map(str, range(len(names))))]
    if len(named) < 2 or known == given:
        return
    require_classes(known, dataset, "the model learned", where)
    raise DataError(
        f"the model has {len(known)} classes ({listed(known)}), but '{dataset.name}' has "
        f"{len(given)} ({listed(given)}). Number them alike: "
        "`Dataset(images, labels, model.card.classes, name)`.",
        where=where,
    )


def sample(dataset: Dataset, wanted: int | None) -> Dataset:
    """Return ``wanted`` images, evenly spaced and stratified by class; all by default.

    Examples
    --------
    >>> labels = np.arange(20) % 2  # every other image, evenly spaced, would be of one class
    >>> twenty = Dataset.from_arrays(np.zeros((20, 1, 2, 2), np.uint8), labels)
    >>> sample(twenty, 10).labels
    array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    """
    n = len(dataset)
    if wanted is None or wanted >= n:
        return dataset
    by_class = np.argsort(dataset.labels, kind="stable")
    return dataset.subset(np.sort(by_class[np.linspace(0, n - 1, wanted).astype(np.int64)]))


class _Measured(NamedTuple):
    """What was found of a batch: the sum of the losses, the predicted classes, and how sure."""

    loss: float
    predicted: Array
    classes: int
    confidences: Confidences

    @classmethod
    def of(cls, scores: Array, labels: Array, loss: Loss) -> _Measured:
        return cls(
            loss(scores, labels) * len(labels),
            scores.argmax(axis=1),
            scores.shape[1],
            Confidences.of(ops.softmax(scores), labels),
        )


def _dealt(dataset: Dataset, batch_size: int, how: Engine, ranks: Communicator) -> DealtLoader:
    """Return the batches that are this rank's."""
    return DealtLoader(dataset, batch_size, rank=ranks.rank, size=ranks.size, gather=how.gather())


def _told(engine: Engine) -> Callable[[Any], AbstractContextManager[None]]:
    """Return what announces that kernels of a run are compiled."""
    return lambda made: announced(partial(engine.watched, made, training=False), everywhere=False)


def _mean_scores(run: Callable[[Array], Array], x: Array) -> Array:
    scores = run(x).copy()  # a plan's next call overwrites its output
    scores += run(np.ascontiguousarray(x[..., ::-1]))
    scores /= 2
    return scores
