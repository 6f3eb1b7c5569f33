"""Messages that all commands print in the same way: results, notes and errors.

Results go to standard output, and nothing else does: a pipe or a file gets what was asked for.
Notes and progress go to standard error; ``--quiet`` leaves both out, and all but the bare results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..names import plain

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "be_quiet",
    "be_silent",
    "complain",
    "count",
    "echo",
    "is_quiet",
    "note",
    "note_of_rank",
    "say",
    "tell",
]

_quiet = _silent = False


def be_quiet(wanted: bool) -> None:
    """Leave out notes and progress from now on, or print them again."""
    global _quiet
    _quiet = wanted


def be_silent() -> None:
    """Print nothing but errors from now on: another rank prints the rest."""
    global _silent
    _silent = True


def is_quiet() -> bool:
    """Return whether notes and progress are left out (``--quiet``)."""
    return _quiet or _silent


def echo(message: object) -> None:
    """Print a result: a line to standard output.

    Names of files and classes may contain anything: control characters are escaped.
    """
    import typer

    if not _silent:
        typer.echo(plain(str(message), lines=True))


def tell(message: object) -> None:
    """Print a line that belongs to a result, but that ``--quiet`` leaves out."""
    if not is_quiet():
        echo(message)


def note(message: object) -> None:
    """Print a note: a line to standard error, unless ``--quiet``."""
    if not is_quiet():
        say(message)


def note_of_rank(message: object) -> None:
    """Print a note on what this rank alone has done: also where another rank prints the rest."""
    import typer

    if not _quiet:
        typer.echo(plain(str(message), lines=True), err=True)


def say(message: object) -> None:
    """Print a line to standard error that ``--quiet`` does not leave out."""
    import typer

    if not _silent:
        typer.echo(plain(str(message), lines=True), err=True)


def complain(message: object, console: Console | None = None) -> None:
    """Print an error to standard error, in red if the terminal has colours.

    Parameters
    ----------
    message : object
    console : rich.console.Console, optional
        The one that a progress bar is drawn on, which stays below the message.
    """
    if console is None:
        from rich.console import Console

        console = Console(stderr=True)
    from rich.text import Text

    # In one piece: a bar is drawn again after each.
    text = Text.assemble(("error:", "bold red"), " ", plain(str(message), lines=True))
    console.print(text, highlight=False, soft_wrap=True)


def count(n: int, noun: str) -> str:
    """Return ``n`` with its noun: 1 image, 1,438 images."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
