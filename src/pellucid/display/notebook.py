"""A running Jupyter notebook, and output in it that is updated in place.

IPython is never imported here: in a notebook it is loaded already.
"""

from __future__ import annotations

import sys
from typing import Any

from .output import framed

__all__ = ["Output", "is_notebook"]


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook (Jupyter, VS Code, Colab).

    A terminal's IPython is none.

    Examples
    --------
    >>> is_notebook()
    False
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class Output:
    """One output of the cell that runs, which each `show` replaces."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        """Show ``html``, and ``text`` where a front end has no HTML."""
        content = {"text/html": framed(html), "text/plain": text}
        if self._handle is None:
            display = sys.modules["IPython"].display
            self._handle = display.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
