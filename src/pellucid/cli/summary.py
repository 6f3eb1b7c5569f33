"""``pellucid summary``: a model as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, did_you_mean
from . import runs
from .messages import as_options

__all__ = ["command"]


def command(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A run folder, a model file, or a network's name."),
    ],
    image: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="CxHxW",
            help="Images, e.g. 1x28x28. [dim]Default: the model's own; for a name 1x28x28.[/dim]",
        ),
    ] = None,
    classes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Outputs, for a network's name.")
    ] = 10,
) -> None:
    """Show each layer's output shape, parameters, multiply-adds, memory and receptive field."""
    from .. import models
    from ..formats import load
    from ..models.registry import NAMES
    from ..nn import summary
    from ..nn.init import without_values

    shape = None if image is None else _shape(image)
    if model in NAMES and not Path(model).exists():
        with as_options(input_dim="--input"), without_values():
            network = models.by_name(model, shape or (1, 28, 28), classes)
    elif Path(model).exists():
        network = load(runs.model_path(Path(model)))
        if network.card is not None:
            typer.echo(f"trained on {network.card.dataset}: {', '.join(network.card.classes)}")
    else:
        raise ArgumentError(
            f"there is no file or folder {model!r}, and no network of that name. "
            f"{did_you_mean(model, NAMES)}",
            where="MODEL",
        )
    typer.echo(str(summary(network, shape)))


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().replace(",", "x").split("x")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise ArgumentError(
            f"must be channels x height x width, as 3x32x32; received {text!r}.", where="--input"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])
