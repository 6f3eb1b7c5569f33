"""``pellucid report``: all that matters of a run, on one page that needs nothing else."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..names import shown
from . import runs
from .messages import as_options, echo
from .page import images, parts
from .page.facts import Facts, gather
from .page.html import Html, element, join
from .page.texts import TEXTS

__all__ = ["command", "page"]

# The page may load nothing, from wherever: what it shows is in it. No script runs in it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
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
    from ..errors import ArgumentError
    from ..formats import atomic_write

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"must end in .html, received '{out}'.", where="--out")
    whole = page(gather(run, data, data_dir), lang)
    out = run / runs.REPORT if out is None else out
    with as_options(path="--out"), atomic_write(out) as part:
        part.write_text(whole, encoding="utf-8")
    echo(f"{out}")


def page(facts: Facts, language: str) -> str:
    """Return the whole HTML document, in English ("en") or Korean ("ko")."""
    title = TEXTS[language]["title"].format(name=shown(facts.run.resolve().name))
    css = (resources.files("pellucid") / "assets" / "report.css").read_text(encoding="utf-8")
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<link rel="icon" href="data:,">'),
            element("title", title),
            element("style", Html(css)),
        ]
    )
    body = element(
        "body",
        parts.head(facts, language),
        element(
            "main",
            images.examples(facts, language),
            parts.course(facts, language),
            images.errors(facts, language),
            images.filters(facts, language),
            parts.network(facts, language),
            parts.settings(facts, language),
            parts.usage(facts, language),
        ),
        parts.footer(language),
    )
    return f"<!doctype html>\n{element('html', element('head', head), body, lang=language)}\n"
