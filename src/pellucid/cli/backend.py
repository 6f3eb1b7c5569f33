"""Hide the Matplotlib backend that the environment names, which figures in files never need.

A notebook gives the commands that are called from it (``!pellucid train``) its own backend in
``MPLBACKEND``. If it is not installed next to Pellucid, or Matplotlib does not know the name,
``import matplotlib`` fails: a training would end without its pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["hidden_backend", "restore_backend"]

NAME = "MPLBACKEND"
_aside: list[str] = []  # what the environment named, if anything


@contextmanager
def hidden_backend() -> Iterator[None]:
    """Hide the environment's backend from Matplotlib in the block, until a window is needed."""
    if NAME in os.environ:
        _aside.append(os.environ.pop(NAME))
    try:
        yield
    finally:
        restore_backend()


def restore_backend() -> None:
    """Restore the environment: for a window, or for a script of the book."""
    if _aside:
        os.environ[NAME] = _aside.pop()
