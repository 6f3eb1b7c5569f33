"""Feature maps: what every layer of a network makes of one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..nn import Layer
from ..typing import Array
from .canvas import BLUE, new_figure
from .grid import as_picture
from .recording import Stage, recorded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["features", "most_active", "stages_of"]

MOST_STAGES = 16  # beyond that those inside residual blocks and branches are left out
MOST_SCORES = 10
SIDE = 0.78  # inches: the longer side of a map
NAMES = 1.75  # inches: the column of the layers' names
STRIP = 0.35  # inches: a layer whose output is a row of numbers


def features(
    model: Layer,
    image: Array,
    *,
    layers: Sequence[str] | None = None,
    most: int = 12,
    inside: bool | None = None,
    classes: Sequence[str] | None = None,
    label: int | None = None,
) -> Figure:
    """Draw the feature maps of one image, layer by layer, and the scores as bars.

    Parameters
    ----------
    model : Layer
        Run in evaluation mode, and left as it was.
    image : array (C, H, W)
    layers : sequence of str, optional
        Draw these only, dotted paths.
    most : int
        Maps of each layer at most: the most active ones, by their mean absolute value.
    inside : bool, optional
        Whether layers inside residual blocks and branches are drawn too; by default if there are
        no more than 16 rows then.
    classes : sequence of str, optional
        What each score means; by default what the model's card says, or numbers.
    label : int, optional
        The image's class, which is marked.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each layer, together with what follows it cell by cell (batch norm, ReLU). Where
        no number is negative, black is 0 and white the row's largest; otherwise middle grey is 0.

    Raises
    ------
    ArgumentError
        If there is no layer of that name, or nothing to draw.
    ShapeError
        If the image does not fit.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> image = np.random.default_rng(0).random((1, 28, 28), dtype=np.float32)
    >>> figure = features(SimpleConvNet(), image, most=6)
    >>> len(figure.axes)                    # the image; 2 rows of 6 maps; the strip; the scores
    15
    """
    if image.ndim != 3:
        raise ShapeError(f"expects one image (C, H, W), received {image.shape}.", where="features")
    if most < 1:
        raise ArgumentError(f"must be 1 or more, received {most}.", where="most")
    stages = stages_of(recorded(model, image[np.newaxis]), layers, inside)
    last = stages[-1]
    scores = last.output[0] if last.output.ndim == 2 else None
    rows = stages[:-1] if scores is not None else stages
    if classes is None and model.card is not None:
        classes = model.card.classes
    columns = max([len(most_active(s.output[0], most)) for s in rows if _is_maps(s)] or [4])
    sheet = _Sheet(image, rows, columns, scores)
    sheet.image(image, None if label is None else _name(classes, label))
    for stage in rows:
        if _is_maps(stage):
            sheet.maps(stage, most)
        else:
            sheet.strip(stage)
    if scores is not None:
        sheet.scores(last, scores, classes, label)
    return sheet.figure


def stages_of(
    stages: list[Stage], layers: Sequence[str] | None = None, inside: bool | None = None
) -> list[Stage]:
    """Return the stages that are drawn: those of ``layers``, or the ones that make something new.

    A Flatten and what else only gives its input another form is left out.

    Raises
    ------
    ArgumentError
        If there is no layer of that name, or nothing to draw.
    """
    if layers is not None:
        names = [name for stage in stages for name in stage.names]
        for name in layers:
            if name not in names:
                raise ArgumentError(
                    f"there is no {name!r}. The layers are: {', '.join(names)}.", where="layers"
                )
        return [s for s in stages if any(name in layers for name in s.names)]
    shown: list[Stage] = []
    for stage in stages:
        if shown and _same_numbers(shown[-1], stage):
            if stage is not stages[-1]:
                continue
            shown.pop()  # the scores are what came last
        shown.append(stage)
    if inside is None:
        inside = len(shown) <= MOST_STAGES
    shown = [stage for stage in shown if inside or not stage.depth]
    if not shown:
        raise ArgumentError("there is no layer to draw.", where="features")
    return shown


def most_active(maps: Array, most: int) -> Array:
    """Return the numbers of the maps (C, H, W) with the largest mean absolute values, in order.

    Examples
    --------
    >>> most_active(np.arange(-1, 2).reshape(3, 1, 1) * np.ones((3, 2, 2)), 2)
    array([0, 2])
    """
    activity = np.abs(maps).mean(axis=(1, 2))
    return np.argsort(-activity, kind="stable")[:most]


class _Sheet:
    """A figure that is filled row by row, from above, in inches."""

    def __init__(
        self, image: Array, rows: Sequence[Stage], columns: int, scores: Array | None
    ) -> None:
        h, w = image.shape[1:]
        self.w, self.h = SIDE * w / max(h, w), SIDE * h / max(h, w)
        self.w, self.h = max(self.w, 0.25), max(self.h, 0.25)
        sizes = [self.h + 0.3 if _is_maps(s) else STRIP + 0.3 for s in rows]
        bars = 0 if scores is None else 0.35 + 0.17 * min(MOST_SCORES, len(scores))
        self.width = NAMES + max(columns * (self.w + 0.08), 3.6) + 0.25
        self.height = self.h + 0.55 + sum(sizes) + bars + 0.1
        self.figure = new_figure(self.width, self.height)
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
        """Write the layer's name at the left of the row, and below it what there is to say."""
        x, y = 0.1 / self.width, 1 - (self.y + h / 2) / self.height
        title = "\n".join(_lines(title))
        both = f"{title}\n{rest}"
        self.figure.text(x, y, both, fontsize=6.5, va="center", linespacing=1.25)

    def image(self, image: Array, name: str | None) -> None:
        """Draw the input."""
        self.write("input", _by(image.shape) + (f"\nis {name}" if name else ""), self.h)
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
        self.write(stage.title, _by(maps.shape) + many + signed, self.h)
        for place, k in enumerate(shown):
            axes = self.place(NAMES + place * (self.w + 0.08), self.w, self.h)
            axes.imshow(maps[k], cmap="gray", vmin=low, vmax=high, aspect="auto")
            axes.set_title(str(k), fontsize=5.5, pad=1.5)
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
        """Draw the scores as bars, with the probabilities that softmax makes of them."""
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
        axes = self.place(NAMES + 0.6, self.width - NAMES - 1.6, height)
        # The best one dark and hatched too: told apart without colour.
        faces = [BLUE if k == best else "0.75" for k in order]
        bars = axes.barh(np.arange(len(order)), scores[order], color=faces, height=0.75)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.6)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_yticks(
            np.arange(len(order)),
            [
                _name(classes if named else None, int(k)) + (" (is)" if k == label else "")
                for k in order
            ],
            fontsize=6,
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
                fontsize=6,
                fontweight="bold" if k == best else "normal",
            )
        self.y += height + 0.3


def _is_maps(stage: Stage) -> bool:
    """Return whether there is something to see in it; maps of one cell are drawn as numbers."""
    return stage.output.ndim == 4 and stage.output.shape[2:] != (1, 1)


def _same_numbers(before: Stage, stage: Stage) -> bool:
    a, b = before.output, stage.output
    return a.size == b.size and np.array_equal(a.ravel(), b.ravel(), equal_nan=True)


def _range(values: Array) -> tuple[float, float]:
    """Return what is black and what is white."""
    finite = values[np.isfinite(values)]
    extent = float(np.abs(finite).max(initial=0)) or 1.0
    return (-extent if finite.min(initial=0) < 0 else 0.0), extent


def _is_distribution(scores: Array) -> bool:
    return bool(scores.min() >= 0 and abs(float(scores.sum()) - 1) < 1e-4)


def _name(classes: Sequence[str] | None, k: int) -> str:
    name = str(k) if classes is None or k >= len(classes) else classes[k]
    return name if len(name) <= 12 else name[:11] + "…"


def _lines(title: str) -> list[str]:
    """Break a title where it would not fit into the column."""
    lines = [""]
    for part in title.replace(" + ", " + \0").split("\0"):
        if len(lines[-1]) + len(part) > 27 and lines[-1]:
            lines.append("  ")
        lines[-1] += part
    return lines


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
