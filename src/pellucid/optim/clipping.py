"""Clipping gradients by their norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..errors import NumericsError
from ..nn import Parameter
from ..typing import Array
from .checks import require_positive

__all__ = ["active_gradients", "clip", "clip_grad_norm"]

SMALL = 1e-6  # added to the norm in the denominator, as in PyTorch
BLOCK = 1024  # numbers of a parameter whose squares are added at once


def clip_grad_norm(parameters: Mapping[str, Parameter], max_norm: float) -> float:
    """Scale the gradients in place to a norm of at most ``max_norm``; return the norm before.

    The norm is that of all gradients as one vector, without those of frozen parameters. Pascanu et
    al. 2013, "On the difficulty of training recurrent neural networks", section 3.2; the same as
    ``torch.nn.utils.clip_grad_norm_``.

    Raises
    ------
    NumericsError
        If the norm is NaN or infinite; the gradients are not changed.

    Examples
    --------
    >>> p = Parameter(np.zeros(2))
    >>> p.grad = np.array([3.0, 4.0])
    >>> clip_grad_norm({"p": p}, max_norm=1.0)
    5.0
    >>> p.grad.round(3)
    array([0.6, 0.8])
    """
    return clip(active_gradients(parameters), max_norm, _squares, _scale)


def active_gradients(parameters: Mapping[str, Parameter]) -> list[Array]:
    """Return the gradients of the parameters that are not frozen."""
    return [p.grad for p in parameters.values() if p.rate and p.grad is not None]


def clip(
    gradients: Iterable[Array],
    max_norm: float,
    squares: Callable[[Array], float],
    scale: Callable[[Array, float], None],
) -> float:
    """Clip the ``gradients``, with functions for an array's sum of squares and its scaling."""
    max_norm = require_positive(max_norm, "max_norm")
    gradients = list(gradients)
    norm = math.sqrt(sum(squares(g) for g in gradients))
    if not math.isfinite(norm):
        raise NumericsError(
            f"the norm of the gradients is {norm} and cannot be clipped. Use a lower learning "
            "rate, or smaller initial weights.",
            where="clip_grad_norm",
        )
    factor = max_norm / (norm + SMALL)
    if factor < 1:
        for g in gradients:
            scale(g, factor)
    return norm


def _squares(g: Array) -> float:
    wide = np.asarray(g, dtype=np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return float(wide @ wide)


def _scale(g: Array, factor: float) -> None:
    g *= factor
