"""Fit the temperature that calibrates a network, and keep it with the network.

Source: Guo et al., "On calibration of modern neural networks", 2017, section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import DataError, ShapeError
from ..nn import Layer, Temperature
from ..nn.checks import require_one_output
from ..nn.temperature import temperature_of
from ..ops.losses import one_hot
from ..typing import Array
from .engines import EngineLike
from .given import Images, as_data
from .metrics import require_known_classes
from .metrics import scores as scores_of

__all__ = ["calibrated", "fit_temperature", "refitted"]

ROWS = 4096  # images at a time: (ROWS, K) float64 numbers in memory
MOST_STEPS = 200
PRECISE = 1e-10  # relative change of the temperature below which the search ends


def calibrated(model: Layer, validation: Images, *, engine: EngineLike = "compiled") -> Layer:
    """Return ``model`` with a last layer that divides its scores by the best temperature.

    Parameters
    ----------
    model : Layer
        Returns scores (N, K). Is not changed, and shares its layers with the result; a temperature
        that it has already is replaced.
    validation : Dataset or (images, labels)
        Images that the model was not trained on. Not the test set, which is to judge the result.
    engine : {"compiled", "numpy"} or Engine

    Raises
    ------
    DataError
        As `fit_temperature`; if the images are on another scale than the training images, or the
        classes have other names than the model's.

    Examples
    --------
    >>> from pellucid import data, models
    >>> from pellucid.training import Trainer, evaluate
    >>> train, test = data.digits()
    >>> train, validation = train.take(500), train.subset(np.arange(500, 1000))
    >>> model = models.SimpleConvNet((1, 8, 8), weight_init=0.1, rng=np.random.default_rng(0))
    >>> history = Trainer(model, train, test, epochs=3).fit()
    >>> better = calibrated(model, validation)
    >>> before, after = evaluate(model, test), evaluate(better, test)
    >>> before.accuracy == after.accuracy, after.calibration.ece < before.calibration.ece
    (True, True)
    """
    require_one_output(model, "calibrated")
    dataset = as_data(validation, "calibrated")
    require_known_classes(model, dataset, "calibrated")
    z = scores_of(model, dataset, engine=engine)
    return Temperature(refitted(model, z, dataset.labels)).after(model)


def refitted(model: Layer, scores: Array, labels: Array) -> float:
    """Return the best temperature by the scores of ``model``, whichever it divides them by now."""
    return fit_temperature(scores, labels) * temperature_of(model)


def fit_temperature(scores: Array, labels: Array) -> float:
    """Return the temperature T that minimises the cross-entropy of ``scores / T``.

    Of images that were not trained on, best the validation set: never the test set, which is to
    judge the result. With β = 1/T the cross-entropy is convex, and its derivatives are

        L'(β) = mean_n (Σ_k p[n,k] z[n,k] - z[n,t])      L''(β) = mean_n Var_p(z[n])

    with p = softmax(β z). Newton's method finds L' = 0, and bisection where it would leave the
    interval that encloses the solution. (Guo et al. 2017, section 4.2.)

    Parameters
    ----------
    scores : float array (N, K)
        As `scores` returns them, before the softmax.
    labels : integer array (N,)

    Raises
    ------
    DataError
        If no temperature is best: all images are classified correctly, so that a smaller one is
        always better, or the scores say nothing of the classes, so that a larger one is; if a score
        is not finite.
    ShapeError
        If the labels do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=(5000, 3))
    >>> labels = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)  # drawn from softmax(scores)
    >>> round(fit_temperature(3 * scores, labels), 1)  # three times too confident
    3.0
    """  # noqa: E501
    z, true = _checked(scores, labels)
    if all((block.argmax(axis=1) == t).all() for block, t in _blocks(z, true)):
        raise DataError(
            f"all {len(z):,} images are classified correctly: no confidence is too high for them, "
            "and no temperature is best. Give more images that were not trained on.",
            where="fit_temperature",
        )
    if _derivatives(z, true, 0.0)[0] >= 0:
        raise DataError(
            "the true classes have no higher scores than others: the network has learned nothing "
            "of these classes that a temperature could scale. Check that the labels belong to it.",
            where="fit_temperature",
        )
    low, high, beta = 0.0, np.inf, 1.0
    for _ in range(MOST_STEPS):
        slope, curvature = _derivatives(z, true, beta)
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = beta - slope / curvature if curvature > 0 else np.inf
        if not low < step < high:  # also where it reaches an end
            step = 2 * beta if high == np.inf else (low + high) / 2
        if abs(step - beta) <= PRECISE * beta:
            break
        beta = step
    return float(1 / beta)


def _checked(scores: Array, labels: Array) -> tuple[Array, Array]:
    z, true = np.asarray(scores), np.asarray(labels)
    if true.ndim != 1:
        raise ShapeError(
            f"expects labels (N,), one class number each, received shape {true.shape}.",
            where="fit_temperature",
        )
    one_hot(true[:1], z[:1])
    if len(z) != len(true):
        raise ShapeError(
            f"expects one label for each of {len(z):,} rows of scores, received {len(true):,}.",
            where="fit_temperature",
        )
    if true.min() < 0 or true.max() >= z.shape[1]:
        raise DataError(
            f"labels must be 0 to {z.shape[1] - 1}, received {true.min()} to {true.max()}.",
            where="fit_temperature",
        )
    if not np.isfinite(z).all():
        raise DataError(
            "expects finite scores, received infinite ones or NaN: the training diverged.",
            where="fit_temperature",
        )
    return z, true


def _blocks(z: Array, true: Array) -> Iterator[tuple[Array, Array]]:
    """Yield scores as float64, with a maximum of 0 in each row, and labels."""
    for k in range(0, len(z), ROWS):
        block = z[k : k + ROWS].astype(np.float64)
        yield block - block.max(axis=1, keepdims=True), true[k : k + ROWS]


@np.errstate(under="ignore")
def _derivatives(z: Array, true: Array, beta: float) -> tuple[float, float]:
    """Return the first and second derivative of the cross-entropy by β."""
    slope = curvature = 0.0
    for block, t in _blocks(z, true):
        p = np.exp(beta * block)
        p /= p.sum(axis=1, keepdims=True)
        mean = (p * block).sum(axis=1, keepdims=True)
        slope += float((mean[:, 0] - block[np.arange(len(t)), t]).sum())
        curvature += float((p * (block - mean) ** 2).sum())
    return slope / len(z), curvature / len(z)
