"""The report of a run: one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..display.html import Html, element, join
from ..display.output import stylesheet
from ..errors import ArgumentError
from ..names import shown
from ..runs.folder import RunFolder
from ..runs.listener import Listener
from . import images, parts
from .calibration import calibration
from .facts import Facts, gather
from .texts import TEXTS

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["document", "page", "write"]

# The page loads nothing: all that it shows is in it. No script runs in it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


def write(
    run: PathLike,
    path: PathLike | None = None,
    *,
    language: str = "en",
    data: str | None = None,
    data_dir: PathLike | None = None,
    listener: Listener | None = None,
) -> Path:
    """Write the report of a run folder into a file, and return its path.

    Parameters
    ----------
    run : path
    path : path, optional
        An HTML file; report.html in the run folder by default.
    language : {"en", "ko"}
    data, data_dir
        Where the images are now; where they were by default.
    listener : Listener, optional

    Raises
    ------
    ArgumentError
        If ``path`` is not the name of an HTML file, or ``run`` is a file.
    DataNotFoundError, FileFormatError
        If there is no such folder, or it holds no model; if a file in it is damaged.
    """
    from ..formats import atomic_write

    out = RunFolder(Path(run)).report if path is None else Path(path)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"must end in .html, received '{out}'.", where="path")
    whole = page(gather(run, data, data_dir, listener=listener), language)
    with atomic_write(out) as part:
        part.write_text(whole, encoding="utf-8")
    return out


def page(facts: Facts, language: str) -> str:
    """Return the whole HTML document, in English ("en") or Korean ("ko")."""
    title = TEXTS[language]["title"].format(name=shown(facts.run.resolve().name))
    body = [
        parts.head(facts, language),
        element(
            "main",
            images.examples(facts, language),
            parts.course(facts, language),
            images.errors(facts, language),
            calibration(facts, language),
            images.filters(facts, language),
            parts.network(facts, language),
            parts.settings(facts, language),
            parts.usage(facts, language),
        ),
        parts.footer(language),
    ]
    return document(title, body, language)


def document(title: str, body: Iterable[str], language: str) -> str:
    """Return a whole HTML document in the report's style."""
    css = stylesheet("parts.css") + stylesheet("report.css")
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
    parts = (element("head", head), element("body", *body))
    return f"<!doctype html>\n{element('html', *parts, lang=language)}\n"
