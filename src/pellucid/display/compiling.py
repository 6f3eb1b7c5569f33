"""Say that kernels are being compiled, while the user waits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from ..letters import is_terminal
from .html import element
from .notebook import Output, is_notebook

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = ["CompilingLine", "announced"]

ERASE = "\r\x1b[K"
DONE = "kernels were compiled for this machine; they are kept for the next time"


class CompilingLine:
    """A line that says which kernel is being compiled.

    In a notebook it is an output of the cell. On a terminal it is written to standard error,
    changes with each kernel and is erased at the end; ``live`` does that if something else draws
    there. Elsewhere it is one plain line on standard error.

    Parameters
    ----------
    live : callable, optional
        Called with the line.
    everywhere : bool
        Whether to write the plain line where there is neither a notebook nor a terminal.
    """

    def __init__(
        self, live: Callable[[str], None] | None = None, *, everywhere: bool = True
    ) -> None:
        self._live, self._everywhere = live, everywhere
        self._terminal, self._said, self._shown = is_terminal(sys.stderr), False, False
        self._output = Output() if is_notebook() else None

    def tell(self, news: Compiling) -> None:
        """Show the line for another kernel."""
        if self._output is not None:
            self._output.show(element("p", f"{news} …", class_="note"), str(news))
        elif self._live and self._terminal:
            self._live(str(news))
        elif self._terminal:
            print(f"{ERASE}{news}", end="", file=sys.stderr, flush=True)
        elif not self._said and self._everywhere:
            print(news.notice, file=sys.stderr, flush=True)
        self._said = self._shown = True

    def clear(self) -> None:
        """Erase the line; in a notebook, say that it is done."""
        if self._shown and self._output is not None:
            self._output.show(element("p", DONE, class_="note"), DONE)
        elif self._shown and self._terminal and not self._live:
            print(ERASE, end="", file=sys.stderr, flush=True)
        self._shown = False


@contextmanager
def announced(
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]],
    live: Callable[[str], None] | None = None,
    *,
    everywhere: bool = True,
) -> Iterator[None]:
    """Show a `CompilingLine` while kernels are compiled in the block; nothing if none are.

    Parameters
    ----------
    watched : callable
        `pellucid.kernels.compiling.watch`, or an engine's replacement for it.
    live, everywhere
        As for `CompilingLine`.
    """
    line = CompilingLine(live, everywhere=everywhere)
    try:
        with watched(line.tell):
            yield
    finally:
        line.clear()
