"""Saying on standard error that kernels are being compiled, while they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from ..letters import is_terminal

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = ["announced"]

ERASE = "\r\x1b[K"


@contextmanager
def announced(
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]],
    live: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Within the block, show a line while kernels are compiled; nothing if none is.

    On a terminal it changes with each kernel and is gone in the end: that is done by ``live``, if
    somebody else draws there. Elsewhere it is a plain line, once.

    Parameters
    ----------
    watched : callable
        `pellucid.kernels.compiling.watch`, or what an engine gives for it.
    live : callable, optional
        Called with the line.
    """
    terminal, said = is_terminal(sys.stderr), False

    def tell(news: Compiling) -> None:
        nonlocal said
        if live and terminal:
            live(str(news))
        elif terminal:
            print(f"{ERASE}{news}", end="", file=sys.stderr, flush=True)
        elif not said:
            print(news.notice, file=sys.stderr, flush=True)
        said = True

    try:
        with watched(tell):
            yield
    finally:
        if said and terminal and not live:
            print(ERASE, end="", file=sys.stderr, flush=True)
