"""Memory for what layers return: taken anew each time for the script, old memory for the system.

A script may keep any array that a layer gave it, so a layer must not write to that one again. But
fresh memory is slow: the system gives it page by page, and 7 MB of outputs of a convolution take
longer to get than to compute. So memory is handed out again as soon as nobody holds it: CPython
counts who refers to an array, and a view refers to the array that owns its memory.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np

from ...memory import aligned_zeros
from ...typing import Array

__all__ = ["Buffers", "take"]

WORTH = 2**14  # numbers: fewer come as fast from NumPy
SPARE = 2**25  # numbers that may lie about unused


class Buffers:
    """Hands out float32 arrays whose contents are anything.

    Examples
    --------
    >>> buffers = Buffers()
    >>> first = buffers.take((200, 100))
    >>> second = buffers.take((200, 100))         # the first one is still somebody's
    >>> np.shares_memory(first, second)
    False
    >>> where = first.ctypes.data
    >>> part, first = first[3:], None             # a part of it is kept
    >>> buffers.take((200, 100)).ctypes.data == where
    False
    >>> part = None
    >>> buffers.take((200, 100)).ctypes.data == where
    True
    """

    def __init__(self) -> None:
        self._owners: list[Array] = []
        self._lock = threading.Lock()
        probe = [_owner(1)]
        self._nobody = _references(probe, 0)

    def take(self, shape: tuple[int, ...]) -> Array:
        """Return a float32 array of this shape that nobody else refers to."""
        size = math.prod(shape)
        if size < WORTH:
            return np.empty(shape, dtype=np.float32)
        with self._lock:
            for k in range(len(self._owners)):
                fits = size <= self._owners[k].size <= 2 * size
                if fits and _references(self._owners, k) == self._nobody:
                    break
            else:
                self._discard()
                self._owners.append(_owner(size))
                k = len(self._owners) - 1
            return self._owners[k][:size].reshape(shape)

    def _discard(self) -> None:
        """Let the system have what lies about unused, if that is much; the oldest goes first."""
        unused = [k for k in range(len(self._owners)) if self._is_free(k)]
        spare, gone = sum(self._owners[k].size for k in unused), set()
        for k in unused:
            if spare > SPARE:
                spare -= self._owners[k].size
                gone.add(k)
        self._owners = [a for k, a in enumerate(self._owners) if k not in gone]

    def _is_free(self, k: int) -> bool:
        return _references(self._owners, k) == self._nobody


def _owner(size: int) -> Array:
    """Return flat memory that begins with a cache line."""
    return aligned_zeros(size)


def _references(owners: list[Array], k: int) -> int:
    """Return how often the memory behind ``owners[k]`` is referred to."""
    return sys.getrefcount(owners[k].base)


take = Buffers().take
