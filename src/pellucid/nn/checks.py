"""The checks that several layers share."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError

__all__ = ["require_count"]


def require_count(value: int, name: str) -> int:
    """Return ``value`` if it is an integer of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"must be an integer, 1 or more; received {value!r}.", where=name)
    return int(value)
