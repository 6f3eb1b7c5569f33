"""Matplotlib's backend, which the environment names, and which figures that go to files never need.

A notebook gives the commands that are called from it (``!pellucid train``) its own backend in
``MPLBACKEND``. Where that is not installed beside Pellucid, or for any other name that Matplotlib
does not know, ``import matplotlib`` fails: a training would end without its pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["give_back", "put_aside"]

NAME = "MPLBACKEND"
_aside: list[str] = []  # what the environment said, if it said something


@contextmanager
def put_aside() -> Iterator[None]:
    """Within the block, let Matplotlib choose by itself, until somebody needs a window."""
    if NAME in os.environ:
        _aside.append(os.environ.pop(NAME))
    try:
        yield
    finally:
        give_back()


def give_back() -> None:
    """Have in the environment again what it said: for a window, and for a reader's own script."""
    if _aside:
        os.environ[NAME] = _aside.pop()
