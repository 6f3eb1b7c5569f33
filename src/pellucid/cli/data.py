"""``pellucid data``: list the data sets, fetch them, and check their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import renamed
from ..shapes import shape_text
from .completion import data_sets
from .interrupts import stoppable
from .json_output import JsonOption, print_json
from .messages import echo, tell

if TYPE_CHECKING:
    from ..data import Record

__all__ = ["app"]

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=data_sets, help="A name from pellucid data list."
    ),
]

app = typer.Typer(help="List, fetch and verify data sets.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the data sets: sizes, counts, and where each one is on this machine."""
    from .. import data
    from ..tables import text_table

    if as_json:
        print_json([_document(record) for record in data.available()])
        return
    rows = [
        (
            r.name,
            shape_text(r.image_shape),
            str(len(r.classes)),
            f"{r.train:,}",
            f"{r.test:,}",
            str(r.where)
            if r.where
            else f"not here: pellucid data fetch {r.name} ({_megabytes(r.download_size)})",
        )
        for r in data.available()
    ]
    header = ("name", "images", "classes", "train", "test", "where")
    echo(text_table(header, rows, left=(0, 1, 5)))
    tell("\nAnd any folder or zip archive with a folder of images for each class.")


@app.command("fetch")
def fetch(
    name: NameArgument,
) -> None:
    """Download a data set into the cache, check its SHA-256, and print the folder.

    Of a set that is published as an archive only the needed files are kept. A set that is already
    in another folder that is searched is not downloaded.
    """
    from .. import data

    with (
        stoppable("stopped; no partial file was left"),
        renamed(root="--data-dir"),
    ):
        folder = data.fetch(name)
    echo(f"{folder}")


@app.command("verify")
def verify(
    name: NameArgument,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder to check. [dim]Default: where it is found.[/dim]"
        ),
    ] = None,
) -> None:
    """Read the files of a data set, count its images, and compare each known SHA-256.

    Exits with 1 if a file is wrong. Of files that come in an archive no SHA-256 is known.
    """
    from .. import data

    with renamed(root="--data-dir"):
        checks = data.verify(name, data_dir)
    for check in checks:
        echo(f"{'ok   ' if check.ok else 'WRONG'} {check.path}")
        if not check.ok:
            echo(f"      {check.reason}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command("cache")
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove them.")] = False,
) -> None:
    """List the decoded image folders that are kept, or remove them.

    They are made again when their folder is read. Those that a running training reads stay.
    The least recently used are removed by themselves when all together take more than 34 GB, or
    the gigabytes that the variable PELLUCID_CACHE_GB says.
    """
    import time

    from ..data.cache_space import clear as clear_cache
    from ..data.cache_space import kept_files
    from ..tables import text_table

    if clear:
        freed, left = clear_cache()
        echo(f"removed {_megabytes(freed)}")
        if left:
            echo(f"{_megabytes(left)} are in use and stay")
        return
    files = [file for file in kept_files() if not file.path.name.startswith(".part-")]
    if not files:
        echo("no decoded images are kept")
        return
    rows = [
        (
            file.folder,
            _megabytes(file.size),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(file.used)),
        )
        for file in reversed(files)
    ]
    echo(text_table(("folder", "size", "last used"), rows))
    echo(f"\n{_megabytes(sum(file.size for file in files))} in {files[0].path.parent}")


def _document(record: Record) -> dict[str, Any]:
    """Return what --json prints of a data set."""
    return {
        "name": record.name,
        "title": record.title,
        "shape": record.image_shape,
        "classes": record.classes,
        "train": record.train,
        "test": record.test,
        "where": record.where,
        "download_bytes": record.download_size,
        "licence": record.licence,
        "citation": record.citation,
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
