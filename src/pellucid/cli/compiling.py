"""Announce on standard error that kernels are being compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from ..letters import is_terminal
from .messages import is_quiet

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = ["announced"]

ERASE = "\r\x1b[K"


@contextmanager
def announced(
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]],
    live: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Show a line while kernels are compiled in the block; nothing if none are.

    Nothing is shown with ``--quiet``. On a terminal it changes with each kernel and is erased at the end; ``live`` does that if
    something else draws there. Elsewhere it is one plain line.

    Parameters
    ----------
    watched : callable
        `pellucid.kernels.compiling.watch`, or an engine's replacement for it.
    live : callable, optional
        Called with the line.
    """
    terminal, said = is_terminal(sys.stderr), False

    def tell(news: Compiling) -> None:
        nonlocal said
        if is_quiet():
            return
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
