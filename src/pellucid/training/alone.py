"""Mutual exclusion: refuse a call while another one is running."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import PellucidError

__all__ = ["Alone"]

T = TypeVar("T")


class Alone:
    """Run one call at a time; a copy holds no lock.

    Examples
    --------
    >>> alone = Alone("Trainer", "is training already.")
    >>> alone.run(lambda: 1)
    1
    >>> alone.run(lambda: alone.run(lambda: 2))
    Traceback (most recent call last):
    pellucid.errors.PellucidError: Trainer: is training already.
    """

    def __init__(self, where: str, refusal: str) -> None:
        self.where, self.refusal = where, refusal
        self._at_work: dict[str, object] = {}

    def run(self, work: Callable[[], T]) -> T:
        """Call ``work`` and return its result.

        Raises
        ------
        PellucidError
            If it is called from within ``work``, or by another thread while ``work`` runs.
        """
        me = object()
        try:
            try:
                if self._at_work.setdefault("call", me) is not me:
                    raise PellucidError(self.refusal, where=self.where)
                return work()
            finally:
                self._end(me)
        finally:  # Ctrl-C may come at any point, also within the first `_end`
            self._end(me)

    def __reduce__(self) -> tuple[type[Alone], tuple[str, str]]:
        return Alone, (self.where, self.refusal)

    def _end(self, me: object) -> None:
        if self._at_work.get("call") is me:
            del self._at_work["call"]
