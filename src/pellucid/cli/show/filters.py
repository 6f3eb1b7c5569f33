"""``pellucid show filters``: the filters of a convolution, before and after training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import ArgumentError, renamed
from ...runs.folder import RunFolder
from ...runs.networks import is_name
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..options import NetworkArgument, network

if TYPE_CHECKING:
    from ...nn import Layer
    from ...typing import Array
    from ...viz.figures.filters import Channels

__all__ = ["LayerOption", "chosen_layer", "command"]

LayerOption = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="A convolution, e.g. layer1.0.conv1. [dim]Default: the first.[/dim]",
    ),
]


def command(
    model: NetworkArgument,
    layer: LayerOption = None,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="N|all|rgb",
            help="Input channel N of each filter, counted from 0; all of them, a row for each "
            "filter; or three in colour. [dim]Default: rgb if there are three, otherwise 0.[/dim]",
        ),
    ] = None,
    sort: Annotated[
        Literal["none", "norm", "similar"],
        typer.Option(
            metavar="HOW",
            help="none; norm (largest first); or similar (similar filters side by side).",
        ),
    ] = "none",
    before: Annotated[
        bool | None,
        typer.Option(
            "--before/--no-before",
            help="Show also the filters before training. "
            "[dim]Default: if the run knows them.[/dim]",
        ),
    ] = None,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the filters of a convolution, before and after training.

    Middle grey is 0, white positive, black negative, with one scale for all; filters of three
    channels are drawn in colour.
    """
    from ... import viz

    require_deliverable(out, window)
    wanted = _channels(channels)
    net = network(model)
    name = chosen_layer(net, layer)
    weight = net.state_dict()[f"{name}.weight" if name else "weight"]
    old = None if before is False else _before(model, net, name)
    if before and old is None:
        raise ArgumentError(
            "the weights before training are not known: they follow from the settings of a run. "
            "Give the folder of one that `pellucid train` has written.",
            where="--before",
        )
    with renamed(filters="--channels", channels="--channels"):
        figure = viz.filters(
            weight,
            old,
            channels=wanted,
            order=sort,
            title=f"{len(weight)} filters of {name or type(net).__name__}",
        )
    deliver(figure, "filters", out, window=window)


def chosen_layer(net: Layer, layer: str | None) -> str:
    """Return the name of the convolution that ``--layer`` names; the refusal lists all."""
    from ...viz import convolutions

    found = convolutions(net)
    if layer is None:
        return next(iter(found))
    if layer not in found:
        raise ArgumentError(
            f"there is no convolution {layer!r}. There are: {', '.join(found)}.", where="--layer"
        )
    return layer


def _before(model: str, net: Layer, layer: str) -> Array | None:
    from ...runs.initial_weights import filters_before

    run = RunFolder(Path(model))
    if is_name(model) or not run.config.is_file():
        return None
    return filters_before(run, run.settings(), net, f"{layer}.weight")


def _channels(text: str | None) -> Channels | None:
    if text is None or text in ("all", "rgb"):
        return text  # type: ignore[return-value]
    if not text.isdigit():
        raise ArgumentError(
            f"must be a channel's number, all or rgb; received {text!r}.", where="--channels"
        )
    return int(text)
