"""Where the pictures of ``pellucid show`` go: a file, or a window where there is a screen."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..errors import ArgumentError
from .messages import as_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["OutOption", "WindowOption", "deliver", "require_deliverable"]

OutOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="PNG, SVG or PDF file. [dim]Default: KIND.png in this folder.[/dim]"
    ),
]
WindowOption: TypeAlias = Annotated[
    bool, typer.Option("--window", help="Open a window, and write a file only if --out is given.")
]


def require_deliverable(out: Path | None, window: bool) -> None:
    """Refuse, before any work is done, a file of another kind and a window without a screen.

    Raises
    ------
    ArgumentError
        Naming the option.
    """
    if out is not None and out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ArgumentError(f"must end in .png, .svg or .pdf, received '{out}'.", where="--out")
    if window and not _has_screen():
        raise ArgumentError(
            "there is no screen here (DISPLAY is not set). Use --out FILE.", where="--window"
        )


def deliver(figure: Figure, kind: str, out: Path | None, *, window: bool = False) -> None:
    """Write ``figure`` into ``out``, or into ``KIND.png``; or open a window, and wait for its end.

    Prints where the picture is.
    """
    from .. import viz

    if out is None and not window:
        out = Path(f"{kind}.png")
    if out is not None:
        with as_options(save_figure="--out", path="--out"):
            viz.save_figure(figure, out)
        typer.echo(f"{out}")
    if window:
        _open_window(figure, kind)


def _open_window(figure: Figure, title: str) -> None:
    import matplotlib.pyplot as plt

    window = plt.figure(title, figsize=figure.get_size_inches())
    manager = window.canvas.manager
    figure.set_canvas(window.canvas)
    window.canvas.figure = figure
    if manager is not None:
        manager.set_window_title(f"Pellucid: {title}")
    plt.show()


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
