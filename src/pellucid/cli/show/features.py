"""``pellucid show features``: the feature maps of one image in every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import renamed
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..options import (
    AsIsOption,
    DataDirOption,
    DataOption,
    NetworkArgument,
    SplitOption,
    network,
)
from .inputs import IndexOption, image_to_show, known_input

__all__ = ["command"]


def command(
    model: NetworkArgument,
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="A picture file. [dim]Default: one of the data set.[/dim]",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Layers to draw. [dim]Default: all with feature maps.[/dim]",
        ),
    ] = None,
    inside: Annotated[
        bool | None,
        typer.Option(
            "--inside/--no-inside",
            help="Show also layers inside residual blocks and branches. "
            "[dim]Default: if there are few.[/dim]",
        ),
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=64, help="Feature maps per layer: the most active ones."
        ),
    ] = 12,
    index: IndexOption = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    as_is: AsIsOption = False,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the feature maps of one image, layer by layer, up to the scores."""
    from ... import viz

    require_deliverable(out, window)
    net = network(model)
    known_input(net, model)
    names = None if layers is None else [name.strip() for name in layers.split(",")]
    shown = image_to_show(model, net, image, index, data, data_dir, split, as_is=as_is)
    with renamed(layers="--layers"):
        figure = viz.features(
            net,
            shown.image,
            layers=names,
            inside=inside,
            most=most,
            classes=shown.classes,
            label=shown.label,
        )
    deliver(figure, "features", out, window=window)
