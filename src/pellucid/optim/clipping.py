"""Clipping gradients by their norm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..errors import NumericsError
from ..nn import Parameter
from ..typing import Array
from .checks import require_positive

__all__ = [
    "BLOCK",
    "active_gradients",
    "block_bounds",
    "clip_grad_norm",
    "factor_for",
    "norm_of",
]

SMALL = 1e-6  # added to the norm in the denominator, as in PyTorch
# Numbers of a parameter whose squares are added at once. Ranks share whole blocks.
BLOCK = 4096


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
    max_norm = require_positive(max_norm, "max_norm")
    gradients = active_gradients(parameters)
    norm = norm_of(map(_squares, gradients))
    factor = factor_for(norm, max_norm)
    if factor < 1:
        for g in gradients:
            g *= factor
    return norm


def active_gradients(parameters: Mapping[str, Parameter]) -> list[Array]:
    """Return the gradients of the parameters that are not frozen."""
    return [p.grad for p in parameters.values() if p.rate and p.grad is not None]


def block_bounds(starts: Sequence[int], sizes: Sequence[int]) -> Array:
    """Return where the blocks of each of several arrays begin and end in a flat one.

    The squares of a block are added at once, and the blocks' sums exactly. So the norm of the
    gradients is the same in every bit, whichever process adds up which blocks.

    Returns
    -------
    int64 array (blocks, 2)

    Examples
    --------
    >>> block_bounds([0, 6000], [5000, 3]).tolist()
    [[0, 4096], [4096, 5000], [6000, 6003]]
    """
    found = [np.zeros((0, 2), np.int64)]
    for start, size in zip(starts, sizes, strict=True):
        first = np.arange(start, start + size, BLOCK)
        found.append(np.stack([first, np.minimum(first + BLOCK, start + size)], axis=1))
    return np.concatenate(found)


def norm_of(squares: Iterable[float]) -> float:
    """Return the root of an exact sum of squares.

    Raises
    ------
    NumericsError
        If it is NaN or infinite.
    """
    try:
        norm = math.sqrt(math.fsum(squares))
    except OverflowError:
        norm = math.inf
    if not math.isfinite(norm):
        raise NumericsError(
            f"the norm of the gradients is {norm} and cannot be clipped. Use a lower learning "
            "rate, or smaller initial weights.",
            where="clip_grad_norm",
        )
    return norm


def factor_for(norm: float, max_norm: float) -> float:
    """Return what gradients of this norm are multiplied by, if it is below 1."""
    return max_norm / (norm + SMALL)


def _squares(g: Array) -> float:
    wide = np.asarray(g, dtype=np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return float(wide @ wide)
