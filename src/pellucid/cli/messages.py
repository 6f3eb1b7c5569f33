"""What every command says in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import PellucidError
from ..names import plain

__all__ = ["as_options", "complain", "count", "echo"]


def echo(message: object) -> None:
    """Print a line to standard output.

    Names of files and classes may hold anything: what would act on the terminal is escaped.
    """
    import typer

    typer.echo(plain(str(message), lines=True))


def complain(message: object) -> None:
    """Print an error to standard error, in red where there are colours."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/bold red]", end=" ")
    console.print(plain(str(message), lines=True), markup=False, emoji=False)


@contextmanager
def as_options(**options: str) -> Iterator[None]:
    """Let errors inside the block name the option that was given, not the library's argument."""
    try:
        yield
    except PellucidError as error:
        error.where = options.get(error.where, error.where)
        for argument, option in options.items():
            error.message = error.message.replace(f"{argument}=...", option)
            error.message = re.sub(rf"\b{argument}=(\d+)", rf"{option} \1", error.message)
        raise


def count(n: int, noun: str) -> str:
    """Return ``n`` with its noun: 1 image, 1,438 images."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
