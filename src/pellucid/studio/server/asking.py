"""Answer the questions of a page: POST /ask/NAME, and POST /cancel for a long one."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Hashable
from concurrent.futures import Future
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...errors import PellucidError
from .. import questions  # noqa: F401 - registers what can be asked
from ..beginning import warm
from ..envelope import pack, unpack
from ..opened import Opened
from ..opening import Studio
from ..registry import QUESTIONS, Cancelled, ForgottenError, answer
from .bodies import left, read
from .replies import Refused
from .work import Worker

__all__ = ["Asking"]

NEWEST_ONLY = {"see"}  # questions of which only a page's newest counts
PIECE = 1 << 18  # bytes: sent at a time, so that an answer waits for a slow reader in parts
REPORTED = 0.05  # seconds between reports of progress


class Asking:
    """Takes questions, has one thread answer the quick ones and another the long ones.

    Parameters
    ----------
    studio : Studio
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.quick, self.long = Worker("quick"), Worker("long")
        self._jobs: dict[str, Job] = {}

    async def ask(self, request: Request) -> Response:
        """Answer the question that the path names: its arguments, and the answer, in an envelope.

        Besides the arguments the page gives ``network``, the id of an open one (by default the
        first); ``job``, an id of its own by which it hears of progress and may cancel; and
        ``page``, an id of the page, whose newest `see` replaces one that still waits.
        """
        name = request.path_params["name"]
        with _refusals():
            given = unpack(await read(request))
            if not isinstance(given, dict):
                raise Refused(400, "refused", "The arguments of a question must be an object.")
            network, name_of_job, page = (given.pop(k, None) for k in ("network", "job", "page"))
            job = Job(self.studio, name_of_job)
            compute = partial(self._answer, name, network, given, job)
            long = name in QUESTIONS and QUESTIONS[name].long
            replaces: Hashable = (str(page), name) if page and name in NEWEST_ONLY else None
            job.answer = (self.long if long else self.quick).give(compute, replaces)
            if job.name is not None:
                self._jobs[job.name] = job
            try:
                return Pieces(await self._unless_left(request, job))
            finally:
                if job.name is not None and self._jobs.get(job.name) is job:
                    del self._jobs[job.name]

    async def cancel(self, request: Request) -> Response:
        """Cancel the long question whose ``job`` is given; not an error if it is answered."""
        with _refusals():
            given = unpack(await read(request))
            job = self._jobs.get(str(given.get("job"))) if isinstance(given, dict) else None
        if job is not None:
            job.cancel()
        return Response(status_code=204)

    def warm_up(self) -> None:
        """Load kernels, and then images, while the page is being loaded.

        Not by the thread that answers quick questions: the page begins with some that need neither.
        """
        for opened in list(self.studio.networks.values()):
            self.long.give(partial(warm, opened))
            self.long.give(partial(self._load, opened))

    def _load(self, opened: Opened) -> None:
        """Load the images that go with a network; say so if that fails, as nobody has asked yet."""
        try:
            opened.parts()
        except (PellucidError, OSError) as error:
            self.studio.listener.note(f"the images of {opened.name} cannot be shown: {error}")

    def close(self) -> None:
        """Cancel everything."""
        for job in list(self._jobs.values()):
            job.cancel()
        self.quick.close()
        self.long.close()

    async def _unless_left(self, request: Request, job: Job) -> bytes:
        """Return the answer, or cancel the question when the page leaves."""
        waited = asyncio.wrap_future(job.answer)
        gone = asyncio.ensure_future(left(request.receive))
        both: list[asyncio.Future[Any]] = [waited, gone]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                job.cancel()
                waited.cancel()
                raise Refused(400, "gone", "The page left.")
            return waited.result()
        except asyncio.CancelledError:
            raise Refused(409, "cancelled", "The question was cancelled.") from None
        finally:
            gone.cancel()

    def _answer(self, name: str, network: Any, given: dict[str, Any], job: Job) -> bytes:
        """Return the answer to a question as an envelope; called by a worker's thread."""
        about: Any = self.studio
        if name in QUESTIONS and not QUESTIONS[name].studio:
            first = next(iter(self.studio.networks), "")
            about = self.studio.of(first if network is None else str(network))
        return pack(answer(name, about, given, job.report))


class Job:
    """A question that is being answered: reports its progress, and stops when it is cancelled."""

    def __init__(self, studio: Studio, name: Any) -> None:
        self.name = None if name is None else str(name)[:100]
        self.answer: Future[bytes] = Future()
        self._events = studio.events
        self._cancelled = threading.Event()
        self._reported = 0.0

    def cancel(self) -> None:
        """Have the next report raise `Cancelled`; a question that waits is not begun at all."""
        self._cancelled.set()
        self.answer.cancel()

    def report(self, done: int, of: int) -> None:
        """Tell the pages how far it is."""
        if self._cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if self.name is not None and (now - self._reported > REPORTED or done == of):
            self._reported = now
            self._events.tell("progress", {"job": self.name, "done": done, "of": of})


class Pieces(Response):
    """An answer that is sent in pieces."""

    media_type = "application/octet-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        content = memoryview(self.body)
        for begin in range(0, len(content), PIECE):
            piece = bytes(content[begin : begin + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _refusals:  # noqa: N801 - used as a function
    """Turn errors of a question into refusals, which say what is meant for the page only."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, ForgottenError):
            raise Refused(404, "forgotten", str(error)) from None
        if isinstance(error, PellucidError):
            raise Refused(400, "refused", str(error)) from None
        if isinstance(error, Cancelled):
            raise Refused(409, "cancelled", "The question was cancelled.") from None
        if isinstance(error, MemoryError):
            logging.getLogger("pellucid.studio").warning("not enough memory for a question")
            raise Refused(507, "memory", "There is not enough memory for this.") from None
