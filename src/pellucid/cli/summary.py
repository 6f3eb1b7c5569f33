"""``pellucid summary``: a model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..names import listed, shown
from .messages import echo
from .options import ImageOption, NetworkArgument, image_shape, network

if TYPE_CHECKING:
    from ..nn import Layer

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
            "--sharing", help="Show also neurons, and the parameters if no weights were shared."
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
        if described.card.preparation is not None:
            echo(f"a picture is {described.card.preparation}{_normalised(described)}")
    echo(str(summary(described, shape, sharing=sharing)))


def _normalised(model: Layer) -> str:
    """Name the layer that normalises images with the training set's statistics, if there is one."""
    from ..nn import Normalize

    names = [name for name, layer in model.layers() if isinstance(layer, Normalize)]
    return f"; the layer '{names[0]}' normalises it" if names else ""
