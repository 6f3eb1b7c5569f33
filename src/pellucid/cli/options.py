"""What several commands take in the same way: an engine, an image shape, a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ArgumentError, did_you_mean
from . import runs
from .messages import as_options

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = [
    "NETWORKS",
    "EngineOption",
    "ImageOption",
    "NetworkArgument",
    "image_shape",
    "is_name",
    "network",
]

# `models.registry.NAMES`, without importing the networks to print a help text.
NETWORKS = (
    "simple, deep, lenet, lenet-1998, alexnet, alexnet-one-tower, alexnet-torchvision, vgg11, "
    "vgg16, allconv, googlenet, resnet18, resnet20"
)

EngineOption = Annotated[
    Literal["compiled", "numpy"],
    typer.Option(metavar="NAME", help="compiled (kernels by Numba) or numpy (the plain layers)."),
]


NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help=f'A run folder, a model file, a network\'s name ({NETWORKS}) or "INPUT -> ...".',
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


def image_shape(text: str) -> tuple[int, int, int]:
    """Return what ``--input`` says: channels, height, width.

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


def is_name(model: str) -> bool:
    """Return whether ``model`` says what to build, by a name or a pattern, and is no file here."""
    from ..models import is_pattern
    from ..models.registry import NAMES

    return is_pattern(model) or (model in NAMES and not Path(model).exists())


def network(
    model: str, shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> Layer:
    """Return a new network called ``model``, or the one in a file.

    Parameters
    ----------
    model : str
    shape, classes
        The images and how many classes they have; for a name, those it was published for by
        default. A model from a file has its own.

    Raises
    ------
    ArgumentError
        If there is neither; if the images do not fit.
    """
    from .. import models
    from ..formats import load
    from ..models.registry import NAMES

    if is_name(model):
        with as_options(input_shape="--input", model="--input", pattern="MODEL"):
            if models.is_pattern(model):
                return models.from_pattern(model, shape or (1, 28, 28), classes or 10)
            images, outputs = models.published_for(model)
            return models.by_name(model, shape or images, classes or outputs)
    if Path(model).exists():
        return load(runs.model_path(Path(model)))
    raise ArgumentError(
        f"there is no file or folder {model!r}, and no network of that name. "
        f"{did_you_mean(model, NAMES)}",
        where="MODEL",
    )
