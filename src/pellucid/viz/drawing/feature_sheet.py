"""The sheet on which `features` draws: the layers' names at the left, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...shapes import shape_text
from ...typing import Array
from ..analysis.recording import Stage
from .canvas import BLUE, new_figure
from .grid import as_picture
from .writing import figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FeatureSheet", "class_name", "is_maps", "most_active"]

MOST_SCORES = 10
SIDE = 0.56  # inches: the longer side of a map
LETTERS = 7.0  # points: on a page of 800 pixels, 12 maps wide, they are 8 pixels high
DOTS = 210  # an inch
NAMES = 1.75  # inches: the column of the layers' names
LONGEST = 15.0  # of a layer's name, in units of the letters' size
STRIP = 0.35  # inches: a layer whose output is a row of numbers


def most_active(maps: Array, most: int) -> Array:
    """Return the numbers of the maps (C, H, W) with the largest mean absolute values, in order.

    Examples
    --------
    >>> most_active(np.arange(-1, 2).reshape(3, 1, 1) * np.ones((3, 2, 2)), 2)
    array([0, 2])
    """
    activity = np.abs(maps).mean(axis=(1, 2))
    return np.argsort(-activity, kind="stable")[:most]


class FeatureSheet:
    """A figure that is filled row by row, from above, in inches."""

    def __init__(
        self, image: Array, rows: Sequence[Stage], columns: int, scores: Array | None
    ) -> None:
        h, w = image.shape[1:]
        self.w, self.h = SIDE * w / max(h, w), SIDE * h / max(h, w)
        self.w, self.h = max(self.w, 0.18), max(self.h, 0.18)
        sizes = [self.h + 0.3 if is_maps(s) else STRIP + 0.3 for s in rows]
        bars = 0 if scores is None else 0.35 + 0.17 * min(MOST_SCORES, len(scores))
        self.width = NAMES + max(columns * (self.w + 0.08), 3.6) + 0.25
        self.height = self.h + 0.55 + sum(sizes) + bars + 0.1
        self.figure = new_figure(self.width, self.height, DOTS)
        self.figure.set_layout_engine("none")
        self.y = 0.15

    def place(self, x: float, w: float, h: float) -> Axes:
        """Return axes at ``x`` from the left, in the present row."""
        box = (x / self.width, 1 - (self.y + h) / self.height, w / self.width, h / self.height)
        axes = self.figure.add_axes(box)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_linewidth(0.5)
        return axes

    def write(self, title: str, rest: str, h: float) -> None:
        """Write the layer's name at the left of the row, with a note below."""
        x, y = 0.1 / self.width, 1 - (self.y + h / 2) / self.height
        title = "\n".join(_lines(title))
        both = f"{title}\n{rest}"
        self.figure.text(x, y, both, fontsize=LETTERS, va="center", linespacing=1.25)

    def image(self, image: Array, name: str | None) -> None:
        """Draw the input."""
        self.write("input", shape_text(image.shape) + (f"\ntrue: {name}" if name else ""), self.h)
        picture = as_picture(image)
        low, high = min(0.0, float(picture.min())), max(1.0, float(picture.max()))
        axes = self.place(NAMES, self.w, self.h)
        axes.imshow(picture, cmap="gray", vmin=low, vmax=high, aspect="auto")
        self.y += self.h + 0.3

    def maps(self, stage: Stage, most: int) -> None:
        """Draw a layer's most active maps, with their numbers."""
        maps = stage.output[0]
        shown = most_active(maps, most)
        many = "" if len(shown) == len(maps) else f"\n{len(shown)} most active of {len(maps)}"
        low, high = _range(maps)
        signed = "\ngrey is 0" if low < 0 else ""
        self.write(stage.title, shape_text(maps.shape) + many + signed, self.h)
        for place, k in enumerate(shown):
            axes = self.place(NAMES + place * (self.w + 0.08), self.w, self.h)
            axes.imshow(maps[k], cmap="gray", vmin=low, vmax=high, aspect="auto")
            axes.set_title(str(k), fontsize=LETTERS, pad=1.5)
        self.y += self.h + 0.3

    def strip(self, stage: Stage) -> None:
        """Draw a row of numbers as one line of cells."""
        values = stage.output[0].reshape(1, -1)
        low, high = _range(values)
        signed = "\ngrey is 0" if low < 0 else ""
        self.write(stage.title, f"{values.size} numbers{signed}", STRIP)
        axes = self.place(NAMES, self.width - NAMES - 0.25, STRIP)
        axes.imshow(values, cmap="gray", vmin=low, vmax=high, aspect="auto")
        self.y += STRIP + 0.3

    def scores(
        self, stage: Stage, scores: Array, classes: Sequence[str] | None, label: int | None
    ) -> None:
        """Draw the scores as bars, with their softmax probabilities."""
        order = np.argsort(-scores, kind="stable")[:MOST_SCORES]
        best = int(order[0])
        if len(scores) <= MOST_SCORES:
            order = np.arange(len(scores))
        height = 0.17 * len(order)
        named = classes is not None and len(classes) == len(scores)
        rest = "the scores" if len(order) == len(scores) else f"best {len(order)} of {len(scores)}"
        self.write(stage.title, rest, height)
        power = np.exp(scores.astype(np.float64) - float(scores.max()))
        shares = 100 * power / power.sum()
        given = _is_distribution(scores)
        axes = self.place(NAMES + 0.6, self.width - NAMES - 1.75, height)
        # The best one dark and hatched too: told apart without colour.
        faces = [BLUE if k == best else "0.75" for k in order]
        bars = axes.barh(np.arange(len(order)), scores[order], color=faces, height=0.75)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.6)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_yticks(
            np.arange(len(order)),
            [
                class_name(classes if named else None, int(k)) + (" (is)" if k == label else "")
                for k in order
            ],
            fontsize=LETTERS,
        )
        axes.tick_params(axis="y", length=0)
        signed = [f"{scores[k]:.3g}".replace("-", "−") for k in order]
        texts = [
            text + ("" if given else f"   {shares[k]:.1f} %")
            for text, k in zip(signed, order, strict=True)
        ]
        axes.margins(x=0.02)
        for bar, text, k in zip(bars, texts, order, strict=True):
            axes.annotate(
                text,
                (1.01, bar.get_y() + bar.get_height() / 2),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=LETTERS,
                fontweight="bold" if k == best else "normal",
            )
        self.y += height + 0.3


def is_maps(stage: Stage) -> bool:
    """Return whether it is drawn as maps; maps of one cell are drawn as numbers."""
    return stage.output.ndim == 4 and stage.output.shape[2:] != (1, 1)


def _range(values: Array) -> tuple[float, float]:
    """Return the values that are drawn black and white."""
    finite = values[np.isfinite(values)]
    extent = float(np.abs(finite).max(initial=0)) or 1.0
    return (-extent if finite.min(initial=0) < 0 else 0.0), extent


def _is_distribution(scores: Array) -> bool:
    return bool(scores.min() >= 0 and abs(float(scores.sum()) - 1) < 1e-4)


def class_name(classes: Sequence[str] | None, k: int) -> str:
    """Return the name of class ``k``, or its number."""
    return str(k) if classes is None or k >= len(classes) else classes[k]


def _lines(title: str) -> list[str]:
    """Break a title where it would not fit into the column."""
    lines = [""]
    parts = [figure_text(part, LONGEST) for part in title.split(" + ")]
    for part in [*(f"{part} + " for part in parts[:-1]), parts[-1]]:
        if len(lines[-1]) + len(part) > 27 and lines[-1]:
            lines.append("  ")
        lines[-1] += part
    return lines
