"""What every request must pass, and what every answer carries."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .door import Door
from .hosts import Hosts
from .replies import Refused

__all__ = ["Gate"]

# Nothing but what the server itself serves, no script within HTML, and no frame around the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "HEAD", "POST")


class Gate:
    """Let a request through to ``app`` if it comes from this server's own page.

    Parameters
    ----------
    app : ASGI application
    hosts : Hosts
    door : Door
        Knows the cookie.
    public : set of str
        Paths that need no cookie: they are read before there is one.
    watched : set of str
        Paths of GET that tell something: asked for by a page of this server only, as every POST.
    """

    def __init__(
        self, app: ASGIApp, hosts: Hosts, door: Door, public: set[str], watched: set[str]
    ) -> None:
        self.app, self.hosts, self.door = app, hosts, door
        self.public, self.watched = public, watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, receive, with_headers)
        except Refused as refused:
            await refused.response()(scope, receive, with_headers)
        except Exception:
            logging.getLogger("pellucid.studio").exception("%s %s", scope["method"], scope["path"])
            if begun:
                raise  # what has begun can only be broken off
            unexpected = Refused(500, "internal", "The server failed; its terminal says where.")
            await unexpected.response()(scope, receive, with_headers)

    def _check(self, scope: Scope) -> None:
        """Raise `Refused` for what did not come from this server's own page."""
        asked = HTTPConnection(scope)
        hosts = asked.headers.getlist("host")
        reached = scope["server"][0] if scope.get("server") else None
        if len(hosts) != 1 or not self.hosts.allows(hosts[0], reached):
            raise Refused(
                421, "host", "This is not a name of the studio. Use the address that it printed."
            )
        if scope["method"] not in METHODS:
            allowed = ", ".join(METHODS)
            raise Refused(405, "method", f"The studio answers {allowed}.", Allow=allowed)
        posted = scope["method"] == "POST"
        if posted or scope["path"] in self.watched:
            self._require_own_page(asked, f"http://{hosts[0]}", posted)
        if scope["path"] not in self.public and not self.door.knows(
            asked.cookies.get(self.door.cookie_name)
        ):
            raise Refused(
                401,
                "stranger",
                "The studio does not know this browser. Open the address that `pellucid studio` "
                "printed; it works once, and a studio that is started anew prints another.",
            )

    def _require_own_page(self, asked: HTTPConnection, own: str, posted: bool) -> None:
        """Raise `Refused` if a browser says that another site's page sends this.

        Every browser says where a POST comes from; what says nothing is not a browser's page.
        """
        origins = asked.headers.getlist("origin")
        sites = asked.headers.getlist("sec-fetch-site")
        if origins != [own] and (posted or origins):
            raise Refused(403, "origin", f"Only a page of {own} may ask this (header Origin).")
        others = [site for site in sites if site != "same-origin"]
        if others:
            raise Refused(
                403, "origin", f"Only a page of {own} may ask this, not a {others[0]} one."
            )
