"""``pellucid show volumes``: a network as blocks with their sizes."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import renamed
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..options import ImageOption, NetworkArgument, image_shape, network

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
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the volumes of a network as blocks with their sizes, and the layers between them.

    Residual blocks are drawn with their shortcut, branches as one frame with a line per branch.
    """
    from ... import viz
    from ...nn.init import without_values

    require_deliverable(out, window)
    shape = None if image is None else image_shape(image)
    with without_values():
        described = network(model, shape, classes)
    with renamed(volumes="MODEL", input_shape="--input"):
        figure = viz.volumes(described, shape)
    deliver(figure, "volumes", out, window=window)
