"""Ending the program on Ctrl-C or a request to terminate, with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..runs.interrupts import Interrupts
from .messages import say

__all__ = ["stoppable"]


@contextmanager
def stoppable(message: str) -> Iterator[None]:
    """Let Ctrl-C and a request to terminate end the program, tidied up, with ``message``."""
    with Interrupts() as interrupts:
        try:
            yield
        except KeyboardInterrupt:
            say(message)
            raise typer.Exit(interrupts.exit_code) from None
