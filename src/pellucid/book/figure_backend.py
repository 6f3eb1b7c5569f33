"""The Matplotlib backend of a machine without a screen: it saves figures instead of showing them.

Matplotlib loads this module itself, for ``MPLBACKEND=module://pellucid.book.figure_backend``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib import font_manager
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ..viz.drawing.fonts import PREFERRED
from .figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureCanvas", "FigureManager", "save_open_figures", "show"]

FigureManager = FigureManagerBase


class FigureCanvas(FigureCanvasAgg):
    """Matplotlib's own canvas of pixels, which remembers whether its figure has been saved."""

    manager_class = FigureManagerBase
    was_saved = False

    @classmethod
    def new_manager(cls, figure: Figure, num: int | str) -> FigureManagerBase:
        """Begin a figure, with fallback fonts for the letters that the chosen fonts lack."""
        families = list(matplotlib.rcParams["font.family"])
        matplotlib.rcParams["font.family"] = _with_letters(families)
        return super().new_manager(figure, num)

    def print_figure(self, *arguments: Any, **options: Any) -> Any:
        """Save, as Matplotlib does."""
        result = super().print_figure(*arguments, **options)
        self.was_saved = True
        return result


def show(*, block: bool | None = None) -> None:
    """Save all open figures and close them, as if the reader had closed their windows.

    A script that does not block (``plt.ion()``, ``plt.pause``) is still drawing: its figures are
    saved at its end.
    """
    if block is None:
        block = not matplotlib.is_interactive()
    if not block:
        return
    for manager in Gcf.get_all_fig_managers():
        figures.save(manager.canvas.figure)
    Gcf.destroy_all()


def save_open_figures() -> None:
    """Save the figures that the script has drawn but has neither shown nor saved."""
    for manager in Gcf.get_all_fig_managers():
        figure = manager.canvas.figure
        if figure.get_children()[1:] and not getattr(manager.canvas, "was_saved", False):
            figures.save(figure)
    Gcf.destroy_all()


def _with_letters(families: list[str]) -> list[str]:
    """Return the font families, followed by the installed ones of `PREFERRED`."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [*families, *(font for font in PREFERRED if font in installed and font not in families)]
