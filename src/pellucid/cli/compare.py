"""``pellucid compare``: several runs in one table, and on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import renamed
from .completion import runs
from .json_output import JsonOption, print_json
from .messages import echo, note
from .terminal import Terminal

if TYPE_CHECKING:
    from ..report.comparison import Compared, Comparison

__all__ = ["command"]


def command(
    run: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            autocompletion=runs,
            help="Run folders; those of train --seeds count as one, with mean and deviation.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page with the table and all curves."),
    ] = None,
    lang: Annotated[
        Literal["en", "ko"],
        typer.Option(metavar="LANG", help="Of the page: en (English) or ko (Korean)."),
    ] = "en",
    json: JsonOption = False,
) -> None:
    """Compare runs: accuracies, networks, times, and the settings that differ.

    Each model is measured on all its test images. The table says where
    these were not the same images, and how each model was chosen.
    """
    from ..report.comparison import compare
    from ..report.comparison_page import comparison_tables, require_page, write_comparison

    with renamed(path="--out", paths="RUN"):
        if out is not None:
            require_page(out)
        found = compare(run, listener=Terminal())
        for one in found.runs:
            if one.missing:
                note(f"note: the test images of '{one.path}' could not be read: {one.missing}")
        if json:
            print_json(_fields(found))
        else:
            echo(comparison_tables(found))
        if out is not None:
            written = write_comparison(found, out, language=lang)
            (note if json else echo)(written)


def _fields(found: Comparison) -> dict[str, object]:
    return {
        "runs": [_run(one) for one in found.runs],
        "settings_that_differ": found.differing,
        "same_test_images": not found.letters("test"),
    }


def _run(one: Compared) -> dict[str, object]:
    from ..runs.seeds_file import mean_and_deviation

    fields: dict[str, object] = {
        "name": one.name,
        "path": str(one.path),
        "network": one.network,
        "parameters": one.parameters,
        "seconds": one.seconds,
        "chosen_by": one.choice.role if one.choice.best else "last",
        "test_set_had_a_part": one.choice.by_test,
        "seeds": list(one.seeds),
        "epochs": [result.epochs for result in one.results],
        "epoch": [result.epoch for result in one.results],
        "test_images": None if one.missing else one.results[0].test_images,
    }
    for role, values in (("validation", one.validated), ("test", one.tested)):
        mean, deviation = mean_and_deviation(values) if values else (None, None)
        fields |= {
            f"{role}_accuracy": mean,
            f"{role}_deviation": deviation,
            f"{role}_accuracies": values,
            f"{role}_set": sorted(one.image_sets(role)),
        }
    return fields
