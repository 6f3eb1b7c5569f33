"""Losses: one number that measures the error of scores (N, K), and its gradient.

    softmax cross-entropy   L = -1/N Σ_n Σ_k t[n,k] · log softmax(x)[n,k]
                            ∂L/∂x = (softmax(x) - t) / N
        with targets q        L = -1/W Σ_n Σ_k q[n,k] · log softmax(x)[n,k]
                            ∂L/∂x = (softmax(x) · Σ_k q[n,k] - q) / W
    multiclass hinge        L = 1/N Σ_n Σ_{k≠t} max(0, x[n,k] - x[n,t] + Δ)
                            ∂L/∂x = (1 for each violated margin; minus their number at t) / N
    mean squared error      L = mean((x - t)²)         ∂L/∂x = 2 (x - t) / size

("Deep Learning from Scratch", sections 4.2 and 5.6.3; hinge: CS231n, "Multiclass SVM loss", after
Weston & Watkins 1999, section 3. PyTorch's ``MultiMarginLoss`` divides by K as well.)
"""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, DataError, ShapeError
from ..typing import Array
from .activations import log_softmax
from .checks import as_floats, require_axis, require_real, require_shape

__all__ = [
    "cross_entropy_targets",
    "mean_squared_error",
    "mean_squared_error_backward",
    "multiclass_hinge",
    "multiclass_hinge_backward",
    "one_hot",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
]


@np.errstate(under="ignore")
def softmax_cross_entropy(
    scores: Array,
    labels: Array,
    class_weights: Array | None = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Array]:
    """Return the mean cross-entropy and the probabilities.

    Parameters
    ----------
    scores : array (N, K)
        Any real numbers, one per class.
    labels : integer array (N,), or array (N, K) of rows that sum to 1 (one-hot)
    class_weights, label_smoothing
        As in `cross_entropy_targets`.

    Returns
    -------
    loss : float
    probabilities : array (N, K)

    Raises
    ------
    ShapeError, DataError
        If the labels do not fit these scores.

    Examples
    --------
    >>> loss, y = softmax_cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(loss, 4), y
    (1.3863, array([[0.25, 0.25, 0.25, 0.25]]))
    """
    require_real(scores, "loss", "scores")
    scores = as_floats(scores, "loss")
    q, total = cross_entropy_targets(labels, scores, class_weights, label_smoothing)
    log_y = log_softmax(scores)
    # 0 · -inf counts as 0: a class with label 0 may have probability 0.
    terms = np.multiply(q, log_y, out=np.zeros_like(log_y), where=q != 0)
    # 0 - sum rather than -sum, which would be -0.0 for a sum of 0.
    return float((0.0 - terms.sum(dtype=np.float64)) / total), np.exp(log_y)


def softmax_cross_entropy_backward(
    y: Array,
    labels: Array,
    dloss: float = 1.0,
    class_weights: Array | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    """Return ``dloss · (y · Σ_k q[n,k] - q) / W`` from the probabilities ``y`` (N, K).

    Without class weights that is ``dloss · (y - t) / N``.
    """
    q, total = cross_entropy_targets(labels, y, class_weights, label_smoothing)
    if class_weights is not None:
        y = y * q.sum(axis=1, keepdims=True)
    return (y - q) * y.dtype.type(dloss / total)


def cross_entropy_targets(
    labels: Array,
    scores: Array,
    class_weights: Array | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Array, float]:
    """Return the targets ``q = w · ((1-ε)·t + ε/K)`` (N, K), and ``W = Σ_n Σ_k w[k]·t[n,k]``.

    t are the labels as rows. The loss is a mean weighted by the classes of the images, as in
    PyTorch's ``CrossEntropyLoss(weight=w, label_smoothing=ε)`` for integer labels. (For labels
    (N, K) PyTorch divides by N instead of W, so that integer and one-hot labels differ there.)

    Label smoothing: Szegedy et al. 2016, "Rethinking the inception architecture", section 7.

    Parameters
    ----------
    labels : integer array (N,), or array (N, K) of rows that sum to 1
    scores : array (N, K)
        Determines the dtype.
    class_weights : array (K,), optional
        w, above 0.
    label_smoothing : float
        ε, from 0 to below 1: the share of each target that is spread evenly over all classes.

    Raises
    ------
    ShapeError, DataError, ArgumentError
        If the labels or the weights do not fit the scores.

    Examples
    --------
    >>> q, total = cross_entropy_targets(np.array([1]), np.zeros((1, 4)), label_smoothing=0.2)
    >>> q.round(2), total
    (array([[0.05, 0.85, 0.05, 0.05]]), 1.0)
    >>> weights = np.array([1.0, 2.0, 1.0, 1.0])
    >>> cross_entropy_targets(np.array([0, 1]), np.zeros((2, 4)), weights)[1]
    3.0
    """
    t = q = one_hot(labels, scores)
    n, k = t.shape
    if label_smoothing:
        q = t * t.dtype.type(1 - label_smoothing) + t.dtype.type(label_smoothing / k)
    if class_weights is None:
        return q, float(n)
    w = np.asarray(class_weights, dtype=np.float64)
    if w.shape != (k,):
        raise ArgumentError(
            f"must be one number for each of {k} classes, received {w.size}.",
            where="class_weights",
        )
    return q * w.astype(t.dtype), float((t.sum(axis=0, dtype=np.float64) * w).sum())


def multiclass_hinge(scores: Array, labels: Array, margin: float = 1.0) -> tuple[float, Array]:
    """Return the mean hinge loss and which margins are violated, boolean (N, K).

    Parameters
    ----------
    scores : array (N, K)
    labels : integer array (N,), or one-hot (N, K)
    margin : float
        Δ: by how much the score of the true class must exceed each other.

    Raises
    ------
    ShapeError, DataError
        If the labels do not fit these scores, or are shared between classes.

    Examples
    --------
    >>> loss, violated = multiclass_hinge(np.array([[3.2, 5.1, -1.7]]), np.array([0]))
    >>> round(loss, 2), violated.tolist()
    (2.9, [[False, True, False]])
    """
    require_real(scores, "loss", "scores")
    scores = as_floats(scores, "loss")
    t = one_hot(labels, scores)
    if not np.all((t == 0) | (t == 1)):
        raise DataError("one-hot labels must be 0 but for a single 1 in every row.", where="loss")
    right = np.where(t == 1, scores, 0).sum(axis=1, keepdims=True)
    margins = np.where(t == 1, 0, scores - right + float(margin))
    violated = ~(margins <= 0)  # so that NaN counts as violated
    return float(np.where(violated, margins, 0).sum(dtype=np.float64) / len(scores)), violated


def multiclass_hinge_backward(
    violated: Array, labels: Array, dloss: float = 1.0, *, dtype: np.typing.DTypeLike = np.float32
) -> Array:
    """Return the gradient (N, K) from the violated margins, in ``dtype``."""
    dx = violated.astype(dtype)
    dx -= one_hot(labels, dx) * dx.sum(axis=1, keepdims=True)
    return dx * float(dloss / len(dx))


def mean_squared_error(x: Array, t: Array) -> float:
    """Return the mean of the squared differences of two arrays of one shape."""
    return float(np.mean(_differences(x, t, "mean_squared_error") ** 2, dtype=np.float64))


def mean_squared_error_backward(x: Array, t: Array, dloss: float = 1.0) -> Array:
    """Return ``dloss · 2 (x - t) / size``."""
    differences = _differences(x, t, "mean_squared_error_backward")
    return differences * float(2 * dloss / x.size)


def _differences(x: Array, t: Array, where: str) -> Array:
    """Return ``x - t``, in the dtype of the outputs ``x``."""
    x = as_floats(x, where)
    require_real(t, where, "targets")
    require_shape(t, x.shape, "targets", "like the outputs", where)
    _require_some(x.size)
    return x - t.astype(x.dtype, copy=False)


def one_hot(labels: Array, scores: Array) -> Array:
    """Return the labels as rows (N, K) of the scores' dtype, checked against their shape.

    Examples
    --------
    >>> one_hot(np.array([1, 0]), np.zeros((2, 3)))
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    require_real(scores, "loss", "scores")
    require_real(labels, "loss", "labels")
    if scores.ndim != 2:
        raise ShapeError(f"expects scores (N, K), received shape {scores.shape}.", where="loss")
    n, k = scores.shape
    _require_some(n)
    require_axis(scores, 1, "loss")
    if labels.shape == (n, k) and labels.ndim == 2:
        if not np.allclose(labels.sum(axis=1), 1) or labels.min() < 0:
            raise DataError(
                "one-hot labels must be non-negative and sum to 1 in every row.", where="loss"
            )
        return labels.astype(scores.dtype, copy=False)
    if labels.shape != (n,):
        raise ShapeError(
            f"expects labels of shape ({n},), or one-hot ({n}, {k}), received {labels.shape}.",
            where="loss",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"labels must be integers (class numbers), received {labels.dtype}.", where="loss"
        )
    if labels.min() < 0 or labels.max() >= k:
        raise DataError(
            f"labels must be 0 to {k - 1} for {k} classes, received {labels.min()} to "
            f"{labels.max()}. Count classes from 0, or give the network more outputs.",
            where="loss",
        )
    t = np.zeros_like(scores)
    t[np.arange(n), labels] = 1
    return t


def _require_some(count: int) -> None:
    if count == 0:
        raise DataError("an empty batch has no mean loss.", where="loss")
