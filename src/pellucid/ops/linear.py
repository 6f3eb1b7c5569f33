"""The fully connected layer: every output is a weighted sum of every input.

    y[n,o] = b[o] + Σ_i w[o,i] · x[n,i]

    ∂L/∂x = dy · w      ∂L/∂w = dyᵀ · x      ∂L/∂b = Σ_n dy[n]

("Deep Learning from Scratch", section 5.6, where it is called Affine and ``W`` is stored as the
transpose of ``w``.)
"""

from __future__ import annotations

from ..errors import ShapeError
from ..typing import Array
from .checks import as_terms, require_no_wider, require_real, require_shape
from .sums import total

__all__ = ["linear", "linear_backward", "require_features"]


def linear(x: Array, w: Array, b: Array | None = None) -> Array:
    """Return ``x · wᵀ + b``.

    Parameters
    ----------
    x : array (N, in)
    w : array (out, in)
    b : array (out,), optional

    Returns
    -------
    array (N, out)

    Raises
    ------
    ShapeError
        If ``x`` is not (N, in), or ``b`` not (out,).

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    require_no_wider(x, "linear", w=w, b=b)
    _require_matrix(w, "linear")
    require_features(x.shape[1:], w.shape[1])
    x = as_terms(x, w)
    if b is None:
        return x @ w.T
    require_shape(b, (len(w),), "a bias", "(out,)", "linear")
    return x @ w.T + b


def linear_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return ``dx`` (N, in), ``dw`` (out, in) and ``db`` (out,) for ``dy`` (N, out)."""
    where = "linear_backward"
    require_no_wider(x, where, w=w, dy=dy)
    _require_matrix(w, where)
    require_features(x.shape[1:], w.shape[1])
    require_shape(dy, (len(x), len(w)), "an output gradient", "(N, out)", where)
    return dy @ w, dy.T @ x, total(dy, 0)


def require_features(shape: tuple[int, ...], features: int) -> None:
    """Refuse an input ``shape`` (without N) other than (features,)."""
    if len(shape) > 1:
        raise ShapeError(
            f"expects rows of {features} numbers, received shape {tuple(shape)} for each image. "
            "Put a Flatten before the first Linear.",
            where="linear",
        )
    if shape != (features,):
        received = shape[0] if shape else "a single number"
        raise ShapeError(
            f"expects {features} input features, received {received}. Build it as "
            f"`Linear({received}, ...)`, or change the size of the layers before it.",
            where="linear",
        )


def _require_matrix(w: Array, where: str) -> None:
    require_real(w, where, "w")
    if w.ndim != 2:
        raise ShapeError(f"expects weights (out, in), received shape {w.shape}.", where=where)
