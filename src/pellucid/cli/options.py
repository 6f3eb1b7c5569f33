"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ArgumentError, renamed
from ..networks import NETWORKS
from . import completion

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = [
    "NAMES",
    "AsIsOption",
    "DataDirOption",
    "DataOption",
    "EngineOption",
    "ImageOption",
    "NetworkArgument",
    "RunArgument",
    "SplitOption",
    "image_shape",
    "network",
]

NAMES = ", ".join(NETWORKS)

EngineOption = Annotated[
    Literal["compiled", "numpy"],
    typer.Option(metavar="NAME", help="compiled (kernels by Numba) or numpy (the plain layers)."),
]


NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=completion.models,
        help=f'A run folder, a model file, a network\'s name ({NAMES}) or "INPUT -> ...".',
    ),
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="CxHxW",
        help="Images, e.g. 3x32x32. [dim]Default: the model's own; for a name those it was "
        "published for.[/dim]",
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|MODEL",
        autocompletion=completion.runs,
        help="A run folder or a model file.",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        autocompletion=completion.data_sets,
        help="Data set, or folder or zip archive of images. "
        "[dim]Default: what it was trained on.[/dim]",
    ),
]
DataDirOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder that holds its files.")
]
SplitOption = Annotated[
    Literal["train", "validation", "test"], typer.Option(help="Which part of the data set.")
]
AsIsOption = Annotated[
    bool,
    typer.Option(
        "--as-is",
        help="Leave a picture as it is, instead of finding, inverting and centring a drawing in "
        "it.",
    ),
]


def image_shape(text: str) -> tuple[int, int, int]:
    """Parse ``--input``: channels, height, width.

    Raises
    ------
    ArgumentError
        If it is not three numbers.
    """
    parts = text.lower().replace(",", "x").split("x")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise ArgumentError(
            f"must be channels x height x width, as 3x32x32; received {text!r}.", where="--input"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])


def network(
    model: str, shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> Layer:
    """Return the network that ``MODEL`` names, for images of ``--input``."""
    from ..runs import networks

    with renamed(input_shape="--input", model="MODEL"):
        return networks.network(model, shape, classes)
