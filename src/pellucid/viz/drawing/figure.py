"""The class of all figures. It imports Matplotlib: `canvas.new_figure` imports it on first use."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from .fonts import lend_fonts

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

__all__ = ["LentFigure"]


class LentFigure(Figure):
    """A figure in any script that the machine has a font for, wherever it is drawn."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw it; of letters that no font has one was warned once, in a sentence that helps."""
        lend_fonts(self)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            super().draw(renderer)
