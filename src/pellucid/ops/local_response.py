"""Local response normalisation, over n neighbouring channels at one place.

    b[i] = a[i] / s[i]^β,   s[i] = k + α · Σ_{j near i} a[j]²

(Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks",
section 3.3, where k = 2, n = 5, α = 1e-4, β = 0.75). Its gradient:

    ∂L/∂a[i] = dy[i] / s[i]^β - 2αβ · a[i] · Σ_{j that saw i} dy[j] · a[j] / s[j]^(β+1)
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .checks import as_floats, gradient_like, require_channel_axis, require_count

__all__ = ["local_response_norm", "local_response_norm_backward"]


def local_response_norm(
    a: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> tuple[Array, Array]:
    """Divide each number by a power of the sum of squares over neighbouring channels.

    Parameters
    ----------
    a : array (N, C, ...)
    n : int
        Number of neighbouring channels, itself included.
    k, alpha, beta : float
        The paper's constants. (PyTorch divides its ``alpha`` by n first.)

    Returns
    -------
    b : array like ``a``
    s : array like ``a``
        The sum ``s`` of the equation, for `local_response_norm_backward`.

    Examples
    --------
    >>> b, s = local_response_norm(np.array([[[[1.0]], [[2.0]]]]), n=3, k=1.0, alpha=1.0, beta=1.0)
    >>> b.ravel(), s.ravel()                           # both channels see 1 + 1² + 2²
    (array([0.16666667, 0.33333333]), array([6., 6.]))
    """
    require_channel_axis(a, "local_response_norm")
    a = as_floats(a, "local_response_norm")
    n = require_count(n, "n")
    s = k + alpha * _sum_over_channels(a * a, n // 2, (n - 1) // 2)
    return a * s**-beta, s


def local_response_norm_backward(
    dy: Array, a: Array, s: Array, n: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> Array:
    """Return the gradient with respect to ``a``, shaped like it."""
    require_channel_axis(a, "local_response_norm_backward")
    n = require_count(n, "n")
    dy = gradient_like(dy, a, "local_response_norm_backward")
    heard = _sum_over_channels(dy * a * s ** (-beta - 1), (n - 1) // 2, n // 2)
    return dy * s**-beta - 2 * alpha * beta * a * heard


def _sum_over_channels(values: Array, before: int, after: int) -> Array:
    """Sum each channel with ``before`` channels below it and ``after`` above, where they exist."""
    c = values.shape[1]
    around = [(0, 0)] * values.ndim
    around[1] = (before, after)
    padded = np.pad(values, around)
    total = padded[:, :c].copy()
    for t in range(1, before + after + 1):
        total += padded[:, t : t + c]
    return total
