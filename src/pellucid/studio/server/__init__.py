"""The studio's local server: pages, questions and events over HTTP, to one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...extras import extra

if TYPE_CHECKING:
    from ..opening import Studio
    from .serving import Server

__all__ = ["server"]


def server(studio: Studio, **options: Any) -> Server:
    """Return a `serving.Server` of a studio, which listens and is yet to be started.

    Raises
    ------
    MissingExtraError
        If Starlette or Uvicorn is not installed.
    """
    for module in ("starlette", "uvicorn"):
        extra(module, "studio", "The studio")
    from .serving import Server

    return Server(studio, **options)
