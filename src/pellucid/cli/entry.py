"""The entry point: run a command, and turn every error into a message and an exit code."""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import PellucidError
from .backend import hidden_backend
from .messages import note

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Exits with 0, 1 (refused or failed), 2 (wrong usage), 130 (Ctrl-C) or 143 (terminated).
    """
    _open_closed_streams()
    _escape_unencodable()
    try:
        from .app import app
        from .ranks import leave, run_on_this_rank

        with _warnings_as_notes(), hidden_backend():
            try:
                run_on_this_rank(app, arguments)
            except SystemExit as end:
                leave(end.code)
                raise
    except PellucidError as error:
        _fail(error)
    except KeyboardInterrupt:  # while the commands were being imported; Typer sees to the rest
        sys.exit(130)
    except BrokenPipeError:  # the reader, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f"'{error.filename}': " if error.filename else ""
        _fail(f"{place}{error.strerror or error}.")
    except MemoryError as error:
        _fail(f"there is not enough memory. {error}".rstrip())


def _open_closed_streams() -> None:
    """Open those of the three standard streams that are closed, so that every command can run.

    Windows starts programs without a console (pythonw, a scheduled task) like this, and shells do
    with ``>&-``. In this order each gets its own number, which no other file can then have.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _escape_unencodable() -> None:
    """Write characters that the terminal's encoding lacks as escapes, rather than fail.

    A class may be called 고양이 or 🐱, and standard output be cp949 or cp1252. ASCII (LC_ALL=C in a
    script or a service) says that nobody chose an encoding: that is UTF-8 then, on both streams.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii = codecs.lookup(stream.encoding).name == "ascii"
            encoding = "utf-8" if ascii else stream.encoding
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Print Pellucid's own warnings as sentences, without the line of code that issued them."""
    shown = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category.__module__.startswith("pellucid."):
            note(f"note: {message}")
        else:
            shown(message, category, *where, **more)

    warnings.showwarning = say
    try:
        yield
    finally:
        warnings.showwarning = shown


def _fail(message: object) -> None:
    from .ranks import fail

    fail(message)
