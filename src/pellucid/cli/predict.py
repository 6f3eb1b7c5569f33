"""``pellucid predict``: classify pictures with a trained model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, renamed
from .completion import runs
from .interrupts import stoppable
from .json_output import write_utf8
from .messages import echo
from .models import model_file
from .options import AsIsOption, EngineOption
from .ranks import on_ranks

__all__ = ["command"]

STDIN = "-"


@on_ranks
def command(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", autocompletion=runs, help="A model file or a run folder."),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="PNG, JPEG, TIFF, GIF, BMP, PPM or WebP files; folders, for all pictures in them; "
            'patterns in quotes, as "pets/**/*.jpg"; or - for names on standard input, one a line.',
        ),
    ],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of guesses.")] = 3,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line, for each file.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each file.")] = False,
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="Names on standard input end with NUL, not with a line."),
    ] = False,
    as_is: AsIsOption = False,
    engine: EngineOption = "compiled",
) -> None:
    """Name what is in pictures, with probabilities.

    Each picture is prepared as the images were that the model was trained on: pellucid summary
    says how. If it was trained on drawings, one is looked for in the picture; a note says so.

    Any number of files: results are printed as they come, in the order of the files. A file that
    cannot be read is one line on standard error, and the exit code is 1 at the end. Under mpiexec
    the ranks share the files, and the first prints the same.
    """
    if as_json and as_csv:
        raise ArgumentError("cannot be given together with --json.", where="--csv")
    from ..distributed import agreed, world
    from ..formats import load
    from ..runs.classifying import images_of_model
    from ..runs.picture_files import picture_files
    from ..runs.shared_classifying import classified_by_all
    from .prediction_output import CsvLines, JsonLines, Table, Watcher

    ranks = world()
    network = agreed(ranks, lambda: load(model_file(model)))
    with renamed(image="IMAGE"):
        shape = images_of_model(network, str(model))
    (outputs,) = network.output_shape(shape)
    classes = network.card.classes if network.card else tuple(map(str, range(outputs)))
    output = (JsonLines if as_json else CsvLines if as_csv else Table)(classes, min(top, outputs))
    write = write_utf8 if as_json or as_csv else echo
    failed = False
    with (
        stoppable("stopped; all that was printed is right"),
        Watcher(notes=not as_json) as watcher,
        closing(
            classified_by_all(
                ranks, network, picture_files(_names(images, null)), shape,
                as_is=as_is, engine=engine, listener=watcher,
            )
        ) as batches,
    ):  # fmt: skip
        for batch in batches:
            if text := output.text(batch):
                write(text)
            failed |= watcher.tell(batch)
    if ranks.broadcast(failed):
        raise typer.Exit(1)


def _names(images: list[str], null: bool) -> Iterator[str]:
    from ..runs.picture_files import names_from

    for image in images:
        if image != STDIN:
            yield image
            continue
        for name in names_from(_read_stdin, null=null):
            if "\0" in name:
                raise ArgumentError(
                    "the names on standard input end with NUL: add --null.", where="IMAGE"
                )
            yield name


def _read_stdin(size: int) -> bytes:
    """Read what there is, without the lock of `sys.stdin`: this thread may never return."""
    return os.read(0, size)
