"""The class of all figures. It imports Matplotlib: `canvas.new_figure` imports it on first use."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from .fonts import lend_fonts

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

__all__ = ["LentFigure"]

CSS = 96  # pixels of a page to an inch


class LentFigure(Figure):
    """A figure in any script that the machine has a font for, wherever it is drawn."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture and its size in CSS pixels, for a notebook without a magic line.

        With ``%matplotlib inline`` IPython draws all figures itself, and does not ask.
        """
        with io.BytesIO() as file:
            self.savefig(file, format="png")
            width, height = (round(CSS * side) for side in self.get_size_inches())
            return file.getvalue(), {"width": width, "height": height}

    def draw(self, renderer: RendererBase) -> None:
        """Draw it; of letters that no font has one was warned once, in a sentence that helps."""
        lend_fonts(self)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            super().draw(renderer)
