"""``pellucid summary``: a model as a table."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..names import listed, shown
from .json_output import JsonOption, print_json
from .messages import echo
from .options import ImageOption, NetworkArgument, image_shape, network

if TYPE_CHECKING:
    from ..nn import Layer
    from ..nn.summaries import Summary

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
    as_json: JsonOption = False,
) -> None:
    """Show each layer's output shape, parameters, multiply-adds, memory and receptive field."""
    from ..nn import summary
    from ..nn.init import without_values

    shape = None if image is None else image_shape(image)
    with without_values():
        described = network(model, shape, classes)
    table = summary(described, shape, sharing=sharing)
    if as_json:
        print_json(_document(described, table))
        return
    if described.card is not None:
        data = described.card.dataset
        known = f"trained on {shown(data)}" if data else "classes"
        echo(f"{known}: {listed(described.card.classes)}")
        if described.card.preparation is not None:
            echo(f"a picture is {described.card.preparation}{_normalised(described)}")
    echo(str(table))


def _document(model: Layer, table: Summary) -> dict[str, Any]:
    """Return what --json prints."""
    from ..nn.summaries import BYTES

    card = model.card
    layers = [
        {
            "name": row.name,
            "layer": row.layer,
            "reads": row.reads,
            "output": row.output_shape,
            "parameters": row.parameters,
            "multiply_adds": row.multiply_adds,
            "activation_bytes": BYTES * row.activation,
            "receptive_field": None if row.field.everything else list(map(floor, row.field.size)),
            "neurons": row.neurons,
            "parameters_without_sharing": row.without_sharing,
        }
        for row in table.rows
    ]
    return {
        "input": table.input_shape,
        "parameters": table.parameters,
        "multiply_adds": table.multiply_adds,
        "activation_bytes": table.activation_bytes,
        "data": None if card is None else card.dataset,
        "classes": None if card is None else card.classes,
        "layers": layers,
    }


def _normalised(model: Layer) -> str:
    """Name the layer that normalises images with the training set's statistics, if there is one."""
    from ..nn import Normalize

    names = [name for name, layer in model.layers() if isinstance(layer, Normalize)]
    return f"; the layer '{names[0]}' normalises it" if names else ""
