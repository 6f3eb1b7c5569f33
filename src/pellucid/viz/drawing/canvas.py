"""The canvas of every figure, colours that survive a grey print, and a safe save."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from ...errors import ArgumentError
from ...formats.files import atomic_write
from ...typing import PathLike
from ..analysis.asked import asking
from .fonts import lend_fonts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLUE", "ORANGE", "as_written", "new_figure", "save_figure"]

Arguments = ParamSpec("Arguments")

# Okabe & Ito's palette: told apart by colour-blind eyes, and of different lightness.
BLUE, ORANGE = "#0072B2", "#E69F00"


def new_figure(width: float, height: float, dpi: int = 150) -> Figure:
    """Return an empty figure of ``width`` x ``height`` inches that no window manager knows of.

    ``dpi`` are the dots to an inch of its PNG.

    Whenever it is drawn, its texts are lent fonts for letters that their own do not have.
    """
    from .figure import LentFigure

    return LentFigure(figsize=(width, height), layout="constrained", dpi=dpi)


def as_written(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorate a function that draws: every text of its figure means the letters it is made of.

    Its arguments are checked by their annotations, as `asking` does.

    Matplotlib would take what stands between two dollars for a formula, and a user's
    ``text.usetex`` every text for LaTeX. Classes, layers and files are called whatever people call
    them. Texts that are added to the figure later are Matplotlib's again.
    """
    checked = asking(draw)

    @wraps(draw)
    def drawn(*arguments: Arguments.args, **named: Arguments.kwargs) -> Figure:
        figure = checked(*arguments, **named)
        _take_literally(figure)
        return figure

    return drawn


def _take_literally(figure: Figure) -> None:
    from matplotlib.text import Text
    from matplotlib.ticker import ScalarFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for formatter in (axis.get_major_formatter(), axis.get_minor_formatter()):
                if isinstance(formatter, ScalarFormatter):  # it may write numbers as formulas
                    formatter.set_useMathText(False)
                    vars(formatter)["_usetex"] = False  # a method of its own since Matplotlib 3.10
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_usetex(False)


@asking
def save_figure(figure: Figure, path: PathLike) -> None:
    """Write ``figure`` as PNG, SVG or PDF, by the suffix of ``path``, completely or not at all.

    Raises
    ------
    ArgumentError
        For another suffix, or a path that cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg", ".pdf"):
        raise ArgumentError(
            f"must end in .png, .svg or .pdf, received '{path}'.", where="save_figure"
        )
    lend_fonts(figure)  # of a figure that was made elsewhere, too
    with atomic_write(path) as part:
        figure.savefig(part, format=suffix[1:])
