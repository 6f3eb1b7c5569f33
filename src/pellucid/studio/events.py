"""What happens in the studio by itself: told to everyone who listens, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Events", "Listening"]

# Takes the name of an event and its data, JSON with arrays; must return at once.
Listening = Callable[[str, dict[str, Any]], None]


class Events:
    """A list of listeners.

    Examples
    --------
    >>> events = Events()
    >>> stop = events.listen(lambda name, data: print(name, data))
    >>> events.tell("progress", {"job": "j1", "done": 1, "of": 10})
    progress {'job': 'j1', 'done': 1, 'of': 10}
    >>> stop()
    >>> events.tell("progress", {})
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: list[Listening] = []

    def listen(self, listening: Listening) -> Callable[[], None]:
        """Call ``listening`` at every event from now on; returns what ends that."""
        with self._lock:
            self._listening.append(listening)

        def stop() -> None:
            with self._lock:
                if listening in self._listening:
                    self._listening.remove(listening)

        return stop

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Call everyone who listens."""
        with self._lock:
            listening = list(self._listening)
        for each in listening:
            each(name, data)
