"""Deliver the figures of ``pellucid show``: to a file, or to a window."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..errors import ArgumentError, renamed
from .backend import restore_backend
from .messages import echo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["OutOption", "WindowOption", "deliver", "require_deliverable"]

# Backends of Matplotlib that open no window.
FILES_ONLY = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
WINDOW = (1500, 850)  # pixels: larger figures are scaled down

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
    """Refuse an unknown file type, or a window without a screen, before any work is done.

    Raises
    ------
    ArgumentError
        Naming the option.
    """
    if out is not None:
        if out.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise ArgumentError(f"must end in .png, .svg or .pdf, received '{out}'.", where="--out")
        if not out.parent.is_dir():
            raise ArgumentError(
                f"there is no folder '{out.parent}'. Create it first.", where="--out"
            )
    if window:
        _require_window()


def deliver(figure: Figure, kind: str, out: Path | None, *, window: bool = False) -> None:
    """Write ``figure`` to ``out`` or ``KIND.png``, or open a window and wait until it is closed.

    Prints the path of the file.
    """
    from .. import viz

    if out is None and not window:
        out = Path(f"{kind}.png")
    if out is not None:
        with renamed(save_figure="--out", path="--out"):
            viz.save_figure(figure, out)
        echo(f"{out}")
    if window:
        _open_window(figure, kind)


def _open_window(figure: Figure, title: str) -> None:
    """Show the figure in a new window until it is closed."""
    import matplotlib.pyplot as plt

    width, height = figure.get_size_inches()
    dpi = min(figure.dpi, WINDOW[0] / width, WINDOW[1] / height)
    window = plt.figure(f"Pellucid: {title}", figsize=(width, height), dpi=dpi)
    canvas = window.canvas
    figure.set_dpi(dpi)
    figure.set_canvas(canvas)
    canvas.figure = figure
    try:
        plt.show()
    finally:
        plt.close(window)


def _require_window() -> None:
    """Refuse if no window can be opened; the message says what is missing."""
    if not _has_screen():
        raise ArgumentError(
            "there is no screen here (DISPLAY is not set). Use --out FILE.", where="--window"
        )
    restore_backend()
    try:
        import matplotlib.pyplot as plt

        plt.switch_backend(plt.rcParams["backend"])
    except (ImportError, ValueError) as error:  # MPLBACKEND names one that does not work
        raise ArgumentError(
            f"no window can be opened: {error}. Use --out FILE.", where="--window"
        ) from error
    if plt.get_backend().lower() in FILES_ONLY:
        raise ArgumentError(
            f"Matplotlib draws with '{plt.get_backend()}' here, which opens no windows: either the "
            "screen cannot be reached, or a toolkit is missing (Debian and Ubuntu: python3-tk; or "
            "pip install PySide6), or MPLBACKEND names it. Use --out FILE.",
            where="--window",
        )


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
