"""The server as an ASGI application: its paths, and who is let in to them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from ..opening import Studio
from .asking import Asking
from .bodies import read
from .door import Door
from .gate import Gate
from .hosts import Hosts
from .page_files import PageFiles
from .replies import Refused
from .streams import Streams

__all__ = ["Application"]

DOOR = "/door"  # what the printed address opens: it trades the key for a cookie
TRADE = "/trade"
DOOR_FILES = {"/door.js", "/style.css"}
MOST_KEY = 1000  # bytes
STATE = {"en": "#lang=en", "ko": "#lang=ko", None: ""}  # what the page's state begins with


class Application:
    """Everything behind one address.

    Parameters
    ----------
    studio : Studio
    hosts, door
        Who is answered, and who may ask.
    language : {"en", "ko"}, optional
        Of the page; by default the browser's.
    """

    def __init__(
        self, studio: Studio, hosts: Hosts, door: Door, language: str | None = None
    ) -> None:
        self.door, self.language = door, language
        self.files = PageFiles()
        self.asking = Asking(studio)
        self.streams = Streams(studio.events)
        routes = [
            Route("/", self._index),
            Route(DOOR, self._door),
            Route(TRADE, self._trade, methods=["POST"]),
            Route("/ask/{name:path}", self.asking.ask, methods=["POST"]),
            Route("/cancel", self.asking.cancel, methods=["POST"]),
            Route("/events", self._events),
            Route("/{name:path}", self._file),
        ]
        self.asgi = Gate(
            Router(routes, redirect_slashes=False),
            hosts,
            door,
            public={"/", DOOR, TRADE, *DOOR_FILES},
            watched={"/events"},
        )

    def close(self) -> None:
        """End what hangs: streams, questions that wait, long jobs."""
        self.streams.close()
        self.asking.close()

    async def _index(self, request: Request) -> Response:
        """Show the page, or to a stranger what to do."""
        known = self.door.knows(request.cookies.get(self.door.cookie_name))
        return self._served("index.html") if known else self._served("door.html", 401)

    async def _door(self, _: Request) -> Response:
        return self._served("door.html")

    async def _trade(self, request: Request) -> Response:
        """Trade the key for the cookie; a browser that has it already is let in once more."""
        key = (await read(request, MOST_KEY)).decode("utf-8", "replace")
        name = self.door.cookie_name
        reply = JSONResponse({"to": f"/{STATE[self.language]}"})
        if self.door.knows(request.cookies.get(name)):
            return reply
        cookie = self.door.trade(key)
        if cookie is None:
            raise Refused(403, "key", "This key has been used, or is of another start.")
        reply.set_cookie(name, cookie, path="/", httponly=True, samesite="strict")
        return reply

    async def _events(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return self.streams.open()  # type: ignore[return-value]  # an ASGI application as well

    async def _file(self, request: Request) -> Response:
        return self._served(request.path_params["name"])

    def _served(self, name: str, status: int = 200) -> Response:
        """Return a file of the page."""
        found = self.files.find(name)
        if found is None:
            raise Refused(404, "missing", "The studio has no such page.")
        content, media_type = found
        return Response(content, status, media_type=media_type)
