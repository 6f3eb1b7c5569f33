"""``pellucid summary``: a model as a table."""

from __future__ import annotations

from typing import Annotated

import typer

from ..names import listed, shown
from .messages import echo
from .options import ImageOption, NetworkArgument, image_shape, network

__all__ = ["command"]


def command(
    model: NetworkArgument,
    image: ImageOption = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Outputs, for a network's name. [dim]Default: as it was published.[/dim]",
        ),
    ] = None,
    sharing: Annotated[
        bool,
        typer.Option(
            "--sharing", help="Show neurons too, and parameters if no weights were shared."
        ),
    ] = False,
) -> None:
    """Show each layer's output shape, parameters, multiply-adds, memory and receptive field."""
    from ..nn import summary
    from ..nn.init import without_values

    shape = None if image is None else image_shape(image)
    with without_values():
        described = network(model, shape, classes)
    if described.card is not None:
        echo(f"trained on {shown(described.card.dataset)}: {listed(described.card.classes)}")
    echo(str(summary(described, shape, sharing=sharing)))
