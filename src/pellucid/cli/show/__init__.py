"""``pellucid show``: figures of a network and of what it has learned; one command per figure."""

from __future__ import annotations

import typer

from . import (
    activations,
    applied,
    calibration,
    curves,
    depth,
    features,
    field,
    filters,
    im2col,
    learning,
    mistakes,
    pooling,
    volumes,
    why,
    window,
)

__all__ = ["app"]

app = typer.Typer(
    help="Draw what a network does and has learned, as PNG, SVG or PDF, or in a window.",
    no_args_is_help=True,
)
app.command("filters")(filters.command)
app.command("applied")(applied.command)
app.command("features")(features.command)
app.command("curves")(curves.command)
app.command("confusion")(mistakes.confusion)
app.command("mistakes")(mistakes.mistakes)
app.command("calibration")(calibration.command)
app.command("learning")(learning.command)
app.command("activations")(activations.command)
app.command("depth")(depth.command)
app.command("why")(why.command)
app.command("window")(window.command)
app.command("im2col")(im2col.command)
app.command("pooling")(pooling.command)
app.command("volumes")(volumes.command)
app.command("field")(field.command)
