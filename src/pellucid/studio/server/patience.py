"""Connections that are slow or many: each has a time limit, and the newest always finds room.

Uvicorn bounds neither the time in which the header of a request arrives nor that in which an answer
is read; and at its limit of connections it turns away the new ones, which are the user's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connections", "PatientProtocol"]

MOST_CONNECTIONS = 220  # fewer than the files that macOS lets a process open: 256
HEADER_SECONDS = (
    10.0  # from the connection, or the first byte of a request, to the end of its header
)
WRITE_SECONDS = 30.0  # in which a reader takes at least some of what is sent


class Connections:
    """All connections; which of them wait for a request, the oldest first.

    Attributes
    ----------
    all : set
    new : dict, as an ordered set
        Those that no request has come by yet.
    kept : dict, as an ordered set
        Those that wait for another one.
    """

    def __init__(self) -> None:
        self.all: set[PatientProtocol] = set()
        self.new: dict[PatientProtocol, None] = {}
        self.kept: dict[PatientProtocol, None] = {}

    def add(self, connection: PatientProtocol) -> bool:
        """Take a connection; if there are too many, in place of the oldest one that waits.

        Returns whether there was room.
        """
        if len(self.all) >= MOST_CONNECTIONS:
            oldest = next(iter(self.new or self.kept), None)
            if oldest is None:
                return False
            oldest.break_off()
        self.all.add(connection)
        self.new[connection] = None
        return True

    def keep(self, connection: PatientProtocol) -> None:
        """Note that a connection waits for another request."""
        if connection in self.all:
            self.kept[connection] = None

    def serve(self, connection: PatientProtocol) -> None:
        """Note that a request has come by a connection."""
        self.new.pop(connection, None)
        self.kept.pop(connection, None)

    def remove(self, connection: PatientProtocol) -> None:
        """Take a connection out."""
        self.all.discard(connection)
        self.serve(connection)


class Timer:
    """Calls a function after a while, unless it is stopped."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """Whether it is waiting."""
        return self._handle is not None

    def start(self, seconds: float) -> None:
        """Wait ``seconds`` from now."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._function)

    def stop(self) -> None:
        """Call nothing."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class PatientProtocol(H11Protocol):
    """HTTP/1.1 as by Uvicorn, with limits to its patience."""

    def __init__(self, connections: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._among = connections
        self._header, self._write = Timer(self.break_off), Timer(self.break_off)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        if self._among.add(self):
            self._header.start(HEADER_SECONDS)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and see whether the header of a request is complete with them."""
        if self._is_idle() and not self._header.runs:
            self._header.start(HEADER_SECONDS)
        super().data_received(data)
        self._note_request()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._among.keep(self)
        if self.cycle.more_body:  # the rest of a refused body is read, so that the refusal can be
            self._header.start(HEADER_SECONDS)
        super().on_response_complete()  # which begins a request that is here already
        self._note_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._header.stop()
        self._write.stop()
        self._among.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the reader, but not for ever."""
        self._write.start(WRITE_SECONDS)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Send more."""
        self._write.stop()
        super().resume_writing()

    def break_off(self) -> None:
        """End the connection at once."""
        self._among.remove(self)
        self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _note_request(self) -> None:
        if not self._is_idle():
            self._among.serve(self)
            self._header.stop()
