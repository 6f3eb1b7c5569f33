"""What was computed for a network and may be asked for once more: kept while its weights stay."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .opened import Opened

__all__ = ["Remembered"]

T = TypeVar("T")


class Remembered:
    """The last answers of one kind for each open network, by what was asked.

    Answers of weights that have changed since are dropped, and those of closed networks.

    Parameters
    ----------
    most : int
        Answers that are kept for a network.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> squares, opened = Remembered(2), Opened(SimpleConvNet(), "n1", "simple")
    >>> squares.of(opened, 3, lambda: 9), squares.of(opened, 3, lambda: 10)
    (9, 9)
    >>> opened.changed()
    >>> squares.of(opened, 3, lambda: 10)
    10
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: WeakKeyDictionary[Opened, OrderedDict[Hashable, Any]] = WeakKeyDictionary()

    def of(self, opened: Opened, asked: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept for ``asked``, or make it; at most `most` stay."""
        version = opened.version
        with self._lock:
            kept = self._found.setdefault(opened, OrderedDict())
            for key in [key for key in kept if key[0] != version]:  # type: ignore[index]
                del kept[key]
            if (version, asked) in kept:
                kept.move_to_end((version, asked))
                found: T = kept[version, asked]
                return found
        made = make()  # others may ask meanwhile; two may make the same
        with self._lock:
            kept[version, asked] = made  # found no more if the weights have changed meanwhile
            while len(kept) > self._most:
                kept.popitem(last=False)
        return made
