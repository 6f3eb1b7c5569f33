"""Messages that all commands print in the same way."""

from __future__ import annotations

from ..names import plain

__all__ = ["complain", "count", "echo"]


def echo(message: object) -> None:
    """Print a line to standard output.

    Names of files and classes may contain anything: control characters are escaped.
    """
    import typer

    typer.echo(plain(str(message), lines=True))


def complain(message: object) -> None:
    """Print an error to standard error, in red if the terminal has colours."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/bold red]", end=" ")
    console.print(plain(str(message), lines=True), markup=False, emoji=False)


def count(n: int, noun: str) -> str:
    """Return ``n`` with its noun: 1 image, 1,438 images."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
