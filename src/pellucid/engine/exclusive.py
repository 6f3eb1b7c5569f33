"""One thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import PellucidError

__all__ = ["Exclusive"]

Result = TypeVar("Result")


class Exclusive:
    """Lets one thread at a time work in the buffers of a plan, and refuses a second one.

    Examples
    --------
    >>> Exclusive().call(max, 1, 2)
    2
    """

    def __init__(self) -> None:
        self._at_work: dict[str, object] = {}

    def call(self, work: Callable[..., Result], *args: Any) -> Result:
        """Return what ``work`` returns.

        Raises
        ------
        PellucidError
            If another thread is at work.
        """
        me = object()
        try:
            try:
                if self._at_work.setdefault("call", me) is not me:
                    raise PellucidError(
                        "is already running in another thread; its buffers are not thread-safe. "
                        "Compile one for each thread.",
                        where="Plan",
                    )
                return work(*args)
            finally:
                self._end(me)
        finally:  # Ctrl-C may come at any point, also within the first `_end`
            self._end(me)

    def _end(self, me: object) -> None:
        if self._at_work.get("call") is me:
            del self._at_work["call"]
