"""Memory for what a step needs only while it runs: the same for all steps of a thread."""

from __future__ import annotations

import threading

from ...memory import aligned_zeros
from ...typing import Array

__all__ = ["scratch"]

_own = threading.local()


def scratch(numbers: int) -> Array:
    """Return this many float32 of any values, aligned; they are the next caller's too.

    Examples
    --------
    >>> a = scratch(1000)
    >>> a.shape, scratch(10).base is a.base
    ((1000,), True)
    """
    held: Array | None = getattr(_own, "numbers", None)
    if held is None or held.size < numbers:
        _own.numbers = None  # its memory first
        held = _own.numbers = aligned_zeros(numbers)
    return held[:numbers]
