"""Server-sent events: what happens in the studio, told to every page that listens."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections import OrderedDict
from typing import Any

from starlette.types import Receive, Scope, Send

from ..envelope import pack
from ..events import Events
from .bodies import left

__all__ = ["Stream", "Streams", "as_text"]

# Browsers open six connections to a host over HTTP/1.1: two are left for questions.
MOST_STREAMS = 4
MOST_WAITING = 64  # names of events that a slow page has not read yet
BEAT = 10.0  # seconds between comments that keep a connection, and find out that it is broken
AGAIN = 3000  # milliseconds after which a page connects again
ELSEWHERE = "elsewhere"  # the last event of a stream that gives way to newer ones


class Streams:
    """The pages that listen, the oldest first; each event goes to all of them.

    Parameters
    ----------
    events : Events
        May tell from any thread.
    """

    def __init__(self, events: Events) -> None:
        self._open: tuple[Stream, ...] = ()  # replaced, never changed: another thread reads it
        self._closed = False
        self._stop = events.listen(self._tell)

    def open(self) -> Stream:
        """Return a new stream; the oldest ends if there are too many."""
        stream = Stream(self)
        if self._closed:
            stream.end()
        self._open = (*self._open, stream)
        for oldest in self._open[:-MOST_STREAMS]:
            oldest.put(ELSEWHERE, {})
            oldest.end()
        self._open = self._open[-MOST_STREAMS:]
        return stream

    def forget(self, stream: Stream) -> None:
        """Tell a stream nothing more."""
        self._open = tuple(each for each in self._open if each is not stream)

    def close(self) -> None:
        """End all streams."""
        self._stop()
        self._closed = True
        for stream in self._open:
            stream.end()

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        for stream in self._open:
            stream.put(name, data)


class Stream:
    """What one page has not been told yet: of each name, and each job, the newest event only.

    A page that reads slowly misses events in between, and holds nobody up. It is the answer to the
    request, as an ASGI application.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[str, Any], tuple[str, dict[str, Any]]] = OrderedDict()
        self._awake = False  # whether the loop has been told that something waits
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, name: str, data: dict[str, Any]) -> None:
        """Take an event, in place of a waiting one of the same name and job; from any thread."""
        with self._lock:
            self._waiting[name, data.get("job")] = (name, data)
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            asleep, self._awake = not self._awake, True
        if asleep and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def end(self) -> None:
        """End after what waits; called by the loop's thread."""
        self._ended = True
        self._changed.set()

    def _take(self) -> tuple[str, dict[str, Any]] | None:
        """Return the event that has waited longest; None if none waits."""
        with self._lock:
            if self._waiting:
                return self._waiting.popitem(last=False)[1]
            self._awake = False
            return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the page leaves, or the stream ends."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_body(f"retry: {AGAIN}\n\n"))
        gone = asyncio.ensure_future(left(receive))
        gone.add_done_callback(lambda _: self.end())
        try:
            while not gone.done():
                self._changed.clear()
                while event := self._take():
                    name, data = event
                    await send(_body(f"event: {name}\ndata: {as_text(data)}\n\n"))
                if self._ended:
                    break
                await self._beat(send)
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._streams.forget(self)

    async def _beat(self, send: Send) -> None:
        """Wait for the next event; send a comment if there is none for a while."""
        try:
            async with asyncio.timeout(BEAT):
                await self._changed.wait()
        except TimeoutError:
            await send(_body(": \n\n"))


def as_text(data: dict[str, Any]) -> str:
    """Return data as JSON; with arrays or numbers that JSON lacks, as an envelope in base64.

    JSON begins with a brace, which base64 never does.

    >>> as_text({"done": 1})
    '{"done": 1}'
    >>> as_text({"loss": float("nan")})[0]
    'N'
    """
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError):
        return base64.b64encode(pack(data)).decode()


def _body(text: str) -> dict[str, Any]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
