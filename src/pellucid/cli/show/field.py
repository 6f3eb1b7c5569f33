"""``pellucid show field``: the receptive field of one unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ArgumentError, renamed
from ..figure_output import WindowOption
from ..gif_output import AnimatedOption, deliver_still_or_moving, is_moving, require_animated
from ..images import picture as read_picture
from ..messages import note
from ..options import AsIsOption, ImageOption, NetworkArgument, image_shape, network

if TYPE_CHECKING:
    from ...nn import Layer
    from ...typing import Array, Shape

__all__ = ["command"]


def command(
    model: NetworkArgument,
    picture: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="Picture file to draw on. [dim]Default: an empty grid.[/dim]",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A layer's name in `pellucid summary`. "
            "[dim]Default: the last whose receptive field is smaller than the image.[/dim]",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ROW,COLUMN", help="The unit, from 0,0. [dim]Default: the middle.[/dim]"
        ),
    ] = None,
    as_is: AsIsOption = False,
    image: ImageOption = None,
    out: AnimatedOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the receptive field of one unit on an image, growing layer by layer.

    The part beyond the border is hatched. With --out field.gif it is animated.
    """
    from ... import viz
    from ...nn.init import without_values
    from ...nn.summaries import known_shape

    require_animated(out, window)
    place = None if at is None else _place(at)
    given = None if image is None else image_shape(image)
    with without_values():
        described = network(model, given)
    with renamed(layer="--layer", at="--at", image="IMAGE", input_shape="--input"):
        shape = known_shape(described, given)
        pixels = None if picture is None else _pixels(described, picture, shape, as_is)
        steps = viz.field_steps(described, layer, shape) if is_moving(out) else 1
        deliver_still_or_moving(
            lambda k: viz.field(described, layer, place, pixels, input_shape=shape, steps=k),
            steps,
            "field",
            out,
            window=window,
        )


def _place(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ArgumentError(f"must be row and column, as 3,5; received {text!r}.", where="--at")
    return int(parts[0]), int(parts[1])


def _pixels(model: Layer, path: Path, shape: Shape, as_is: bool) -> Array:
    """Return the picture (C, H, W) as the network sees it, and print notes on it."""
    c, h, w = shape
    pixels, notes = read_picture(model, path, (c, h, w), as_is=as_is)
    for told in notes:
        note(f"note: {told}")
    return pixels
