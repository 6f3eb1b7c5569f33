"""A sheet for drawing arrays cell by cell; its coordinates are cells, with y downwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .canvas import BLUE, new_figure
from .writing import breadth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHOSEN", "RESULT", "Board"]

CELL = 0.44  # inches
LETTERS = 10.0  # points, of what is written around the cells
LARGEST = 11.0  # points, of the numbers in the cells
SMALL = 6.5  # points, of what stands above them
# Tints of the palette's orange and blue; where they matter an outline or a mark says the same.
CHOSEN, RESULT = "#FADDA6", "#CBE3F2"
POINTS = 72  # an inch


class Board:
    """An empty sheet of ``width`` x ``height`` cells.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    size, small : float
        Points of the numbers in the cells, see `fit`, and of what stands above them.

    Examples
    --------
    >>> board = Board(4, 3)
    >>> board.fit(["1", "−12.5"])
    >>> board.cell(1, 1, "7", face=CHOSEN)
    >>> [text.get_text() for text in board.figure.axes[0].texts]
    ['7']
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure: Figure = new_figure(width * CELL, height * CELL)
        self.figure.set_layout_engine("none")
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        self._axes.set_axis_off()
        self.size, self.small = LARGEST, SMALL

    def fit(self, texts: Iterable[str], width: float = 1) -> None:
        """Choose the size of the numbers so that the widest fits into cells ``width`` wide."""
        self.size = fitting(texts, width)

    def cell(
        self,
        x: float,
        y: float,
        text: str = "",
        *,
        width: float = 1,
        face: str = "white",
        bold: bool = False,
        grey: bool = False,
        dashed: bool = False,
        hatched: bool = False,
        above: str = "",
        mark: str = "",
    ) -> None:
        """Draw one cell with its left upper corner at (x, y).

        ``above`` is a small line over the number, ``mark`` a small sign in the left upper corner.
        """
        from matplotlib.patches import Rectangle

        # Cells that are not the input's own lie under the others, whose outlines stay whole.
        outline = Rectangle((x, y), width, 1, facecolor=face, edgecolor="0.5", linewidth=0.8)
        outline.set(linestyle=(0, (2, 2)) if dashed else "-", zorder=1 if dashed else 1.2)
        if hatched:
            outline.set(hatch="////", edgecolor="0.72")
        self._axes.add_patch(outline)
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 4}
        weight = "bold" if bold else "normal"
        colour = "0.45" if grey else "black"
        low = 0.66 if above else 0.6 if mark else 0.5
        # What stands below a small line is not smaller than it.
        size = min(max(self.size, self.small + 1), fitting([text], width)) if above else self.size
        self._axes.text(
            x + width / 2, y + low, text, size=size, weight=weight, color=colour, **style
        )
        if above:
            size = min(self.small, fitting([above], width))
            self._axes.text(x + width / 2, y + 0.27, above, size=size, color="0.25", **style)
        if mark:
            style |= {"ha": "left", "va": "top"}
            size = min(6.5, fitting([mark], 1))
            self._axes.text(x + 0.06, y + 0.06, mark, size=size, color=BLUE, **style)

    def frame(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        colour: str = "black",
        line: float = 2.2,
        dashed: bool = False,
    ) -> None:
        """Draw an outline over the cells."""
        from matplotlib.patches import Rectangle

        outline = Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line)
        outline.set(zorder=3, joinstyle="miter", linestyle=(0, (3, 2)) if dashed else "-")
        self._axes.add_patch(outline)

    def word(self, x: float, y: float, text: str, *, size: float = LETTERS, **style: Any) -> None:
        """Write ``text`` centred at (x, y), or as ``style`` says."""
        style = {"ha": "center", "va": "center", "zorder": 4, **style}
        self._axes.text(x, y, text, size=size, **style)

    def lines(self, x: float, y: float, lines: Sequence[str], **style: Any) -> None:
        """Write lines one below the other, flush left, the first in the middle of row ``y``."""
        for k, line in enumerate(lines):
            self.word(x, y + k * LINE + LINE / 2, line, ha="left", **style)

    def arrow(
        self, tail: tuple[float, float], head: tuple[float, float], *, bent: float = 0
    ) -> None:
        """Draw an arrow from ``tail`` to ``head``; ``bent`` 0 is straight."""
        from matplotlib.patches import FancyArrowPatch

        self._axes.add_patch(
            FancyArrowPatch(
                tail, head, arrowstyle="-|>", mutation_scale=11, color="0.2", linewidth=1.1,
                connectionstyle=f"arc3,rad={bent}", shrinkA=2, shrinkB=2, zorder=5,
            )
        )  # fmt: skip


LINE = 1.45 * LETTERS / POINTS / CELL  # cells from one line of text to the next


def fitting(texts: Iterable[str], width: float) -> float:
    """Return the size in points at which all texts fit into ``width`` cells."""
    widest = max((breadth(text) for text in texts), default=0)
    return min(LARGEST, 0.88 * width * CELL * POINTS / max(widest, 0.1))


def cells_for(texts: Iterable[str], size: float = SMALL) -> float:
    """Return how many cells wide the widest text is in letters of ``size`` points."""
    return max(breadth(text) for text in texts) * size / (0.86 * CELL * POINTS)


def letters_in(width: float) -> float:
    """Return how wide a text of the usual size may be in ``width`` cells, in units of its size."""
    return width * CELL * POINTS / LETTERS
