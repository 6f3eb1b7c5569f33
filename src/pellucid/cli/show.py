"""``pellucid show``: pictures of what a network does and has learned; one command a kind."""

from __future__ import annotations

import typer

from . import (
    show_activations,
    show_applied,
    show_curves,
    show_depth,
    show_features,
    show_field,
    show_filters,
    show_im2col,
    show_learning,
    show_mistakes,
    show_pooling,
    show_volumes,
    show_why,
    show_window,
)

__all__ = ["app"]

app = typer.Typer(
    help="Draw what a network does and has learned, as PNG, SVG or PDF, or in a window.",
    no_args_is_help=True,
)
app.command("filters")(show_filters.command)
app.command("applied")(show_applied.command)
app.command("features")(show_features.command)
app.command("curves")(show_curves.command)
app.command("confusion")(show_mistakes.confusion)
app.command("mistakes")(show_mistakes.mistakes)
app.command("learning")(show_learning.command)
app.command("activations")(show_activations.command)
app.command("depth")(show_depth.command)
app.command("why")(show_why.command)
app.command("window")(show_window.command)
app.command("im2col")(show_im2col.command)
app.command("pooling")(show_pooling.command)
app.command("volumes")(show_volumes.command)
app.command("field")(show_field.command)
