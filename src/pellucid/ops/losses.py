"""Losses: one number that measures the error of scores (N, K), and its gradient.

    softmax cross-entropy   L = -1/N Σ_n Σ_k t[n,k] · log softmax(x)[n,k]
                            ∂L/∂x = (softmax(x) - t) / N
    multiclass hinge        L = 1/N Σ_n Σ_{k≠t} max(0, x[n,k] - x[n,t] + Δ)
                            ∂L/∂x = (1 for each violated margin; minus their number at t) / N
    mean squared error      L = mean((x - t)²)         ∂L/∂x = 2 (x - t) / size

("Deep Learning from Scratch", sections 4.2 and 5.6.3; hinge: CS231n, "Multiclass SVM loss", after
Weston & Watkins 1999, section 3. PyTorch's ``MultiMarginLoss`` divides by K as well.)
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError, ShapeError
from ..typing import Array
from .activations import log_softmax
from .checks import as_floats, require_axis, require_real, require_shape

__all__ = [
    "mean_squared_error",
    "mean_squared_error_backward",
    "multiclass_hinge",
    "multiclass_hinge_backward",
    "one_hot",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
]


@np.errstate(under="ignore")
def softmax_cross_entropy(scores: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy and the probabilities.

    Parameters
    ----------
    scores : array (N, K)
        Any real numbers, one per class.
    labels : integer array (N,), or array (N, K) of rows that sum to 1 (one-hot)

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
    t = one_hot(labels, scores)
    log_y = log_softmax(scores)
    # 0 · -inf counts as 0: a class with label 0 may have probability 0.
    terms = np.multiply(t, log_y, out=np.zeros_like(log_y), where=t != 0)
    # 0 - sum rather than -sum, which would be -0.0 for a sum of 0.
    return float((0.0 - terms.sum(dtype=np.float64)) / len(scores)), np.exp(log_y)


def softmax_cross_entropy_backward(y: Array, labels: Array, dloss: float = 1.0) -> Array:
    """Return ``dloss · (y - t) / N`` from the probabilities ``y`` (N, K)."""
    return (y - one_hot(labels, y)) * y.dtype.type(dloss / len(y))


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
