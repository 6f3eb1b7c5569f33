"""What an index of a data set must be."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np

from ..errors import ArgumentError

__all__ = ["require_index", "require_slice"]


def require_index(index: SupportsIndex, n: int) -> int:
    """Return the index of one of ``n`` images as an int.

    Raises
    ------
    ArgumentError
        If it is not an integer, or out of range.
    """
    # To Python, True and an array of one integer are indices, too; here they are a mistake.
    if isinstance(index, (bool, np.bool_, np.ndarray)) or not hasattr(index, "__index__"):
        raise ArgumentError(
            f"expects an integer or a slice, received {_kind(index)}. Select several images with "
            "`subset(indices)`; turn a mask into indices with `np.flatnonzero(mask)`.",
            where="Dataset",
        )
    k = index.__index__()
    if not -n <= k < n:
        raise ArgumentError(
            f"there is no image {k}: this set has images 0 to {n - 1}, or {-n} to -1 from the end.",
            where="Dataset",
        )
    return k


def require_slice(index: slice, n: int) -> None:
    """Refuse a slice that selects none of ``n`` images."""
    try:
        chosen = range(*index.indices(n))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"cannot take {index}: {error}.", where="Dataset") from error
    if not chosen:
        raise ArgumentError(
            f"{index} selects none of the {n} images; a data set needs at least one.",
            where="Dataset",
        )


def _kind(index: object) -> str:
    """Describe what came in place of an index."""
    if isinstance(index, np.ndarray):
        return f"an array of {index.dtype} {index.shape}"
    return f"{index!r:.40} ({type(index).__name__})"
