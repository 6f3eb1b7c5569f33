"""What every figure shares: the canvas, colours that survive a grey print, and a safe save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..formats.files import atomic_write
from ..typing import PathLike
from .fonts import lend_fonts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLUE", "ORANGE", "new_figure", "save_figure"]

# Okabe & Ito's palette: told apart by colour-blind eyes, and of different lightness.
BLUE, ORANGE = "#0072B2", "#E69F00"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of ``width`` x ``height`` inches that no window manager knows of.

    Whenever it is drawn, its texts are lent fonts for letters that their own do not have.
    """
    from .figure import LentFigure

    return LentFigure(figsize=(width, height), layout="constrained", dpi=150)


def save_figure(figure: Figure, path: PathLike) -> None:
    """Write ``figure`` as PNG, SVG or PDF, as the suffix of ``path`` says: all of it, or nothing.

    Raises
    ------
    ArgumentError
        For another suffix, or a place that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg", ".pdf"):
        raise ArgumentError(
            f"must end in .png, .svg or .pdf, received '{path}'.", where="save_figure"
        )
    lend_fonts(figure)  # of a figure that was made elsewhere, too
    with atomic_write(path) as part:
        figure.savefig(part, format=suffix[1:])
