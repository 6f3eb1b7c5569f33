"""Who may come in: a key in the address, traded once for a cookie."""

from __future__ import annotations

import secrets
import threading

__all__ = ["Door"]


class Door:
    """A key that works once, and the cookie of the browser that used it.

    Both are forgotten with the process: a restart asks everyone for the new key.

    Attributes
    ----------
    key : str
        In the part of the address after ``#``, which browsers send nowhere.
    cookie_name : str
        With the port in it, since browsers send cookies to every port of a host.

    Examples
    --------
    >>> door = Door(8000)
    >>> cookie = door.trade(door.key)
    >>> door.knows(cookie), door.trade(door.key)
    (True, None)
    """

    def __init__(self, port: int) -> None:
        self.key = secrets.token_urlsafe(32)
        self.cookie_name = f"pellucid-studio-{port}"
        self._lock = threading.Lock()
        self._used = False
        self._cookie = secrets.token_urlsafe(32)

    def trade(self, key: str) -> str | None:
        """Return the cookie for the key, the first time; None for any other."""
        with self._lock:
            if self._used or not _same(key, self.key):
                return None
            self._used = True
            return self._cookie

    def knows(self, cookie: str | None) -> bool:
        """Return whether a cookie is the one that was given."""
        return self._used and cookie is not None and _same(cookie, self._cookie)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
