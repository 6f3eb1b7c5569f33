"""Options of a sliding window: stride, padding, dilation, misfit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, TypeAlias

import typer

from ..errors import PellucidError, renamed
from . import numbers

__all__ = [
    "BiasOption",
    "DilationOption",
    "FilterOption",
    "MisfitOption",
    "NumbersOption",
    "PaddingOption",
    "SeedOption",
    "StepOption",
    "StrideOption",
    "sliding",
    "told_by_options",
]

NumbersOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="ROWS",
        help='The numbers, as "1,2;3,4" with | between channels; or a size as 5x7 or 3x5x7, or '
        "random, for random ones. [dim]Default: the textbook's.[/dim]",
    ),
]
FilterOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--filter", metavar="ROWS", help="The filter's numbers, in the same way."),
]
BiasOption: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="X", help="[dim]Default: 3 with the textbook's numbers, else 0.[/dim]"),
]
StrideOption: TypeAlias = Annotated[
    str, typer.Option(metavar="S", help="Cells that the window moves by; or two: down, across.")
]
PaddingOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="P",
        help="Cells around the input: one number, two (down, across), four (top, bottom, left, "
        "right), same or valid.",
    ),
]
DilationOption: TypeAlias = Annotated[
    str, typer.Option(metavar="D", help="Distance between two cells of the window; or two.")
]
MisfitOption: TypeAlias = Annotated[
    Literal["floor", "error", "pad"],
    typer.Option(
        metavar="WHAT",
        help="If windows do not fit evenly: floor (leave the rest), error or pad.",
    ),
]
SeedOption: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=0, help="Draws the random numbers.")
]
StepOption: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, help="Which window, counted from 1 in reading order.")
]


def sliding(stride: str | None, padding: str, dilation: str, misfit: str) -> dict[str, Any]:
    """Return the options as the library's arguments."""
    return {
        "stride": None if stride is None else numbers.two(stride, "--stride"),
        "padding": numbers.padding(padding),
        "dilation": numbers.two(dilation, "--dilation"),
        "misfit": misfit,
    }


@contextmanager
def told_by_options(function: str, otherwise: str) -> Iterator[None]:
    """Let errors in the block name the option of their argument, or else ``otherwise``."""
    options = {
        f"{function}: step": "--step",
        "step": "--step",
        "stride": "--stride",
        "padding": "--padding",
        "dilation": "--dilation",
        "misfit": "--misfit",
        "window": "--filter" if function != "pooling" else "--size",
        "dy": "--gradient",
        "filter": "--filter",
        function: "--input",
    }
    try:
        with renamed(**options):
            yield
    except PellucidError as error:
        if not error.where.startswith("--"):
            error.where = otherwise
        raise
