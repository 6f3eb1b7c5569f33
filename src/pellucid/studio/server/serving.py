"""Run the server in a thread of its own, until it is asked to stop."""

from __future__ import annotations

import functools
import logging
import socket
import threading
import time
from typing import Any, cast

import uvicorn

from ...errors import ArgumentError
from ..opening import Studio
from .app import DOOR, Application
from .door import Door
from .hosts import Hosts, in_address, is_local, listening
from .patience import Connections, PatientProtocol

__all__ = ["Server"]

KEEP_ALIVE = 75  # seconds: someone who looks at a map for a minute keeps the connection
DRAIN = 1  # seconds for answers that are being sent when it stops
SAVE = 4.5  # seconds for what is to be saved, as a live training
POLL = 0.2  # seconds; where signals do not interrupt waiting, as on Windows


class Server:
    """A studio at an address.

    Parameters
    ----------
    studio : Studio
    host : str
        What to listen on.
    port : int
        0 takes a free one.
    remote : bool
        Allow a ``host`` that other machines can reach.
    language : {"en", "ko"}, optional
        Of the page; by default the browser's.

    Attributes
    ----------
    address : str
        With the key that lets one browser in, once.

    Raises
    ------
    ArgumentError
        If it cannot listen there, or other machines could reach it and ``remote`` is False.

    Examples
    --------
    >>> server = Server(Studio())
    >>> server.start()
    >>> server.address.startswith("http://127.0.0.1:")
    True
    >>> server.stop()
    """

    def __init__(
        self,
        studio: Studio,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        remote: bool = False,
        language: str | None = None,
    ) -> None:
        if not is_local(host) and not remote:
            raise ArgumentError(
                f"{host!r} can be reached by other machines: whoever gets the address could use "
                "this studio, and whoever reads the network's traffic gets the address. Leave it "
                "out, or say that you want that with {remote}.",
                where="host",
                arguments={"remote": True},
            )
        self.studio, self.host = studio, host
        self._socket = listening(host, port)
        self.port = int(self._socket.getsockname()[1])
        door = Door(self.port)
        self.address = f"http://{in_address(self._shown())}:{self.port}{DOOR}#{door.key}"
        self.application = Application(studio, Hosts(host, self.port), door, language)
        self._uvicorn = _Uvicorn(self.application)
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([self._socket],), name="studio-server", daemon=True
        )

    @property
    def meaning(self) -> str | None:
        """What it means that other machines can reach it, in a sentence; None if they cannot."""
        if is_local(self.host):
            return None
        return (
            f"other machines can reach this studio at port {self.port}: whoever opens the address "
            "first can use it, and nothing that is sent is encrypted. Do this only in a network "
            "whose users you trust"
        )

    def start(self) -> None:
        """Answer from now on; returns once it does."""
        self._thread.start()
        self._uvicorn.ready.wait()
        self.application.asking.warm_up()

    def wait(self) -> None:
        """Wait until it has stopped; an interruption by a signal may be raised here."""
        while not self._uvicorn.ended.wait(POLL):
            pass

    def stop(self) -> None:
        """End all connections and jobs, and have what is to be saved saved: within seconds."""
        self._uvicorn.should_exit = True
        saving = threading.Thread(target=self._save, name="studio-saving", daemon=True)
        saving.start()
        deadline = time.monotonic() + SAVE
        if self._thread.ident is not None:
            self._uvicorn.ended.wait(DRAIN + 1)
        self._socket.close()
        saving.join(max(0, deadline - time.monotonic()))
        if saving.is_alive():
            logging.getLogger("pellucid.studio").warning("what was running could not be saved")

    def _shown(self) -> str:
        """Return what a browser calls the host; of one that stands for all addresses, this one."""
        if self.host in ("0.0.0.0", "::"):
            return socket.gethostname()
        # "localhost" is 127.0.0.1 or ::1, whichever the machine takes it for.
        return str(self._socket.getsockname()[0]) if is_local(self.host) else self.host

    def _save(self) -> None:
        for close in self.studio.closing:
            try:
                close()
            except Exception:
                logging.getLogger("pellucid.studio").exception("not everything was saved")


class _Uvicorn(uvicorn.Server):
    """Uvicorn with this application; it sees to no signals, as it does not run in the main thread.

    Attributes
    ----------
    ready, ended : Event
        Set once it answers, or cannot; once it does no longer. (Joining a thread would not do: a
        join that a signal interrupts takes the thread for ended, up to Python 3.12.)
    """

    def __init__(self, application: Application) -> None:
        protocol = functools.partial(PatientProtocol, Connections())
        super().__init__(
            uvicorn.Config(
                application.asgi,
                http=cast(Any, protocol),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # the application logs itself
                access_log=False,
                proxy_headers=False,  # there is none: its headers would be a client's
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=DRAIN,
            )
        )
        self.application = application
        self.ready, self.ended = threading.Event(), threading.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit`."""
        try:
            super().run(sockets)
        finally:
            self.ready.set()
            self.ended.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would not end by itself, and then as Uvicorn does."""
        self.application.close()
        await super().shutdown(sockets)
