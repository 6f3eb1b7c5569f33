"""Memory for the outputs of layers, which is reused when the script no longer refers to it.

A script may keep any array that a layer returned, so a layer must not write to it again. But fresh
memory is slow: the system maps it page by page, and allocating the 7 MB that a convolution returns
takes longer than computing them. So a buffer is reused as soon as nothing refers to it: CPython
counts the references to an array, and a view refers to the array that owns its memory.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np

from ...memory import aligned_zeros
from ...typing import Array

__all__ = ["Buffers", "take"]

WORTH = 2**14  # numbers: NumPy allocates fewer ones as fast
SPARE = 2**25  # unused numbers that are kept


class Buffers:
    """A pool of uninitialised float32 arrays.

    Examples
    --------
    >>> buffers = Buffers()
    >>> first = buffers.take((200, 100))
    >>> second = buffers.take((200, 100))         # the first one is still in use
    >>> np.shares_memory(first, second)
    False
    >>> where = first.ctypes.data
    >>> part, first = first[3:], None             # a view still refers to it
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
        self._unused = _references(probe, 0)

    def take(self, shape: tuple[int, ...]) -> Array:
        """Return a float32 array of this shape, to which nothing else refers."""
        size = math.prod(shape)
        if size < WORTH:
            return np.empty(shape, dtype=np.float32)
        with self._lock:
            for k in range(len(self._owners)):
                fits = size <= self._owners[k].size <= 2 * size
                if fits and _references(self._owners, k) == self._unused:
                    break
            else:
                self._discard()
                self._owners.append(_owner(size))
                k = len(self._owners) - 1
            return self._owners[k][:size].reshape(shape)

    def _discard(self) -> None:
        """Free unused buffers, the oldest first, until at most `SPARE` numbers remain unused."""
        unused = [k for k in range(len(self._owners)) if self._is_free(k)]
        spare, freed = sum(self._owners[k].size for k in unused), set()
        for k in unused:
            if spare > SPARE:
                spare -= self._owners[k].size
                freed.add(k)
        self._owners = [a for k, a in enumerate(self._owners) if k not in freed]

    def _is_free(self, k: int) -> bool:
        return _references(self._owners, k) == self._unused


def _owner(size: int) -> Array:
    """Return a flat array that begins with a cache line."""
    return aligned_zeros(size)


def _references(owners: list[Array], k: int) -> int:
    """Return the number of references to the memory of ``owners[k]``."""
    return sys.getrefcount(owners[k].base)


take = Buffers().take
