"""Read what a page sends, of a limited size and within a limited time; notice that it leaves."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from .replies import Refused

__all__ = ["left", "read"]

MOST_BYTES = 4 << 20
SECONDS = 20.0  # for all of a body


async def read(request: Request, most: int = MOST_BYTES) -> bytes:
    """Return the body of a request.

    Raises
    ------
    Refused
        If it is larger than ``most`` bytes: by what its header says, before any of it is read, or
        as soon as more has arrived. Or if it takes longer than ``SECONDS``.
    """
    too_large = Refused(413, "large", f"At most {most:,} bytes can be sent at once.")
    told = request.headers.get("content-length", "0")
    if not told.isascii() or not told.isdigit() or int(told) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refused(408, "slow", f"The request took more than {SECONDS:g} seconds.") from None
    except ClientDisconnect:
        raise Refused(400, "gone", "The request ended early.") from None
    return b"".join(parts)


async def left(receive: Receive) -> None:
    """Return once the client of a request, whose body is read, has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
