"""``pellucid show features``: what every layer of a network makes of one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError
from .messages import as_options
from .options import NetworkArgument, network
from .pictures import OutOption, WindowOption, deliver, require_deliverable
from .show_inputs import (
    IndexOption,
    dataset_of,
    known_input,
    refuse_beside_image,
)
from .trained import DataDirOption, DataOption, SplitOption

__all__ = ["command"]


def command(
    model: NetworkArgument,
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="A PNG or JPEG file. [dim]Default: one of the data set.[/dim]",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...", help="Only these. [dim]Default: all that make something.[/dim]"
        ),
    ] = None,
    inside: Annotated[
        bool | None,
        typer.Option(
            "--inside/--no-inside",
            help="Show layers inside residual blocks and branches, too. "
            "[dim]Default: if there are few.[/dim]",
        ),
    ] = None,
    most: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Maps of a layer: the most active ones.")
    ] = 12,
    index: IndexOption = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the feature maps of one image, layer by layer, up to the scores."""
    from .. import viz
    from ..data import read_image

    require_deliverable(out, window)
    net = network(model)
    shape = known_input(net, model)
    names = None if layers is None else [name.strip() for name in layers.split(",")]
    classes, label = None, None
    if image is None:
        dataset = dataset_of(model, net, data, data_dir, split, index or 0)
        x, labels = dataset.batch([index or 0])
        classes, label = dataset.classes, int(labels[0])
    else:
        refuse_beside_image(index, data)
        if shape[0] not in (1, 3):
            raise ArgumentError(
                f"the network takes images of {shape[0]} channels; a picture file has 1 or 3. Give "
                "none, and take one of the data set.",
                where="IMAGE",
            )
        x = read_image(image, shape, net.card.background if net.card else None)
    with as_options(layers="--layers"):
        figure = viz.features(
            net, x[0], layers=names, inside=inside, most=most, classes=classes, label=label
        )
    deliver(figure, "features", out, window=window)
