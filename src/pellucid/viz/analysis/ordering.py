"""The order in which filters are drawn: as stored, by norm, or by similarity."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from ...errors import ArgumentError
from ...typing import Array

__all__ = ["Order", "ordered"]

Order: TypeAlias = Literal["none", "norm", "similar"]

SWEEPS = 20  # over all pairs of places; a tour of 500 is settled after fewer


def ordered(weight: Array, by: Order = "none") -> Array:
    """Return the numbers of the filters (FN, C, FH, FW) in the order ``by``.

    ``"norm"``: the longest, ``sqrt(Σ w²)``, first. ``"similar"``: a tour from filter to filter on
    which each is as like the next one as can be, by the cosine between them: clusters of like
    filters lie together. It begins with the longest filter, goes on to the one most like it, and is
    then improved by reversing parts of it (2-opt; Croes 1958) until no reversal makes it shorter.

    Raises
    ------
    ArgumentError
        For another order.

    Examples
    --------
    >>> a, b = np.eye(4)[:2].reshape(2, 1, 2, 2)
    >>> w = np.stack([a, b, 0.9 * a, 2 * b])
    >>> ordered(w, "norm").tolist(), ordered(w, "similar").tolist()
    ([3, 0, 1, 2], [3, 1, 0, 2])
    """
    if by not in ("none", "norm", "similar"):
        raise ArgumentError(f"must be 'none', 'norm' or 'similar', received {by!r}.", where="order")
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1)
    if by == "none":
        return np.arange(len(flat))
    strongest = np.argsort(-norms, kind="stable")
    if by == "norm" or len(flat) < 3:
        return strongest
    unit = flat / np.where(norms > 0, norms, 1)[:, np.newaxis]
    return _tour(1 - unit @ unit.T, int(strongest[0]))


def _tour(far: Array, start: int) -> Array:
    """Return a short open path through all, given the distances (n, n) between them."""
    n = len(far)
    left = np.ones(n, dtype=bool)
    tour = [start]
    left[start] = False
    while len(tour) < n:
        tour.append(int(np.where(left, far[tour[-1]], np.inf).argmin()))
        left[tour[-1]] = False
    path = np.array(tour)
    for _ in range(SWEEPS):
        better = False
        for i in range(n - 1):  # reverse path[i+1 : j+1], for the best j
            a, inner = path[i], path[i + 1 :]
            after = np.append(far[inner[:-1], inner[1:]], 0.0)
            last = np.append(far[path[i + 1], inner[1:]], 0.0)  # nothing follows the last one
            gain = far[a, path[i + 1]] + after - far[a, inner] - last
            j = int(gain.argmax())
            if gain[j] > 1e-12:
                path[i + 1 : i + 2 + j] = path[i + 1 : i + 2 + j][::-1].copy()
                better = True
        if not better:
            break
    return path
