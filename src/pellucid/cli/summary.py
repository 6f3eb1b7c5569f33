"""``pellucid summary``: a model as a table."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import image_shape, network

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
    from ..nn import summary
    from ..nn.init import without_values

    shape = None if image is None else image_shape(image)
    with without_values():
        described = network(model, shape or (1, 28, 28), classes)
    if described.card is not None:
        typer.echo(f"trained on {described.card.dataset}: {', '.join(described.card.classes)}")
    typer.echo(str(summary(described, shape)))
