"""``pellucid show applied``: the response of a network's filters to a picture of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ArgumentError, renamed
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..options import DataDirOption, DataOption, NetworkArgument, SplitOption, network
from .filters import LayerOption, chosen_layer
from .inputs import IndexOption, dataset_of, known_input, refuse_beside_image

if TYPE_CHECKING:
    from ...typing import Array

__all__ = ["command"]


def command(
    model: NetworkArgument,
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Picture files of any size. [dim]Default: one of the data set.[/dim]",
            show_default=False,
        ),
    ] = None,
    layer: LayerOption = None,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Filters to draw, in this order. "
            "[dim]Default: the clearest for each kind of edge.[/dim]",
        ),
    ] = None,
    most: Annotated[int, typer.Option(metavar="N", min=1, max=256, help="Number of filters.")] = 16,
    longest: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Shrink a picture first if its longer side has more pixels; 0: never.",
        ),
    ] = 400,
    index: IndexOption = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw filters, and next to each its response to a picture.

    They are grouped by what they respond to: vertical, horizontal or slanted edges, spots, even
    areas. This is measured by moving straight edges through each filter's window.
    """
    from ... import viz

    require_deliverable(out, window)
    net = network(model)
    name = chosen_layer(net, layer)
    channels = known_input(net, model)[0]
    pictures, titles = _pictures(images or [], channels, longest)
    if not pictures:
        dataset = dataset_of(model, net, data, data_dir, split, index or 0)
        pictures = [dataset.batch([index or 0])[0][0]]
        titles = [f"{dataset.name} {split} {index or 0}"]
    else:
        refuse_beside_image(index, data, data_dir)
    with renamed(filters="--filters", edge_answers="--layer"):
        figure = viz.applied(
            net, pictures, layer=name, chosen=_numbers(filters), most=most, titles=titles
        )
    deliver(figure, "applied", out, window=window)


def _pictures(paths: list[Path], channels: int, longest: int) -> tuple[list[Array], list[str]]:
    from ...data import read_photo

    if paths and channels not in (1, 3):
        raise ArgumentError(
            f"the network takes images of {channels} channels; a picture file has 1 or 3. Give "
            "none, and take one of the data set.",
            where="IMAGE",
        )
    return (
        [read_photo(path, channels, longest=longest or None) for path in paths],
        [path.name for path in paths],
    )


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise ArgumentError(
            f"must be numbers of filters, as 3,17; received {text!r}.", where="--filters"
        )
    return [int(part) for part in parts]
