"""``pellucid report``: all that matters of a run, on one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import renamed
from ..runs.fields import option_names
from ..runs.settings import Settings
from .completion import runs
from .messages import echo
from .terminal import Terminal

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", autocompletion=runs, help="A run folder.")],
    lang: Annotated[
        Literal["en", "ko"], typer.Option(metavar="LANG", help="en (English) or ko (Korean).")
    ] = "en",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML file. [dim]Default: report.html in the run.[/dim]"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Where its images are now. [dim]Default: where they were.[/dim]",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that holds its data set's files.")
    ] = None,
) -> None:
    """Write all that matters of a run into one HTML file.

    Curves, confusion matrix, mistakes, filters, settings, and how to use
    the model. The file needs no network and no other file: it can be
    mailed, printed, or put on a server.
    """
    from .. import report

    with renamed(path="--out", run="RUN", **option_names(Settings)):
        written = report.write(
            run, out, language=lang, data=data, data_dir=data_dir, listener=Terminal()
        )
    echo(written)
