"""Filters, and what they find in a picture: "Deep Learning from Scratch", figure 7-25."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import nn
from ...errors import ArgumentError
from ...nn import Layer
from ...typing import Array
from ..analysis.asked import asking
from ..analysis.convolutions import convolutions
from ..analysis.edge_response import GROUPS, EdgeAnswers, edge_answers
from ..drawing.canvas import as_written, new_figure
from ..drawing.grid import as_picture, draw_grid
from ..drawing.writing import breadth, figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["applied", "responses"]

MAP, FILTER, WIDEST = 1.2, 0.55, 9.4  # inches: the longer side of a map, a filter, the figure
LETTERS = 7  # points: on a page of 800 pixels they are 8 pixels high
DOTS = 210  # an inch
MARGIN, GAP, NOTE = 0.12, 0.1, 2.8
SAID = (
    "Grey is 0, white positive, black negative; each filter has its own scale. “vertical 90 %”: of "
    "its response to vertical and horizontal edges, 90 % is to vertical ones. “areas”: it responds "
    "more to an even white area than to any edge."
)


@asking
def responses(model: Layer, image: Array, layer: str) -> Array:
    """Return the responses of one convolution's filters to an image of any size, without bias.

    Parameters
    ----------
    model : Layer
        Its layers up to ``layer`` are run, in evaluation mode.
    image : array (C, H, W)
    layer : str

    Returns
    -------
    array (FN, OH, OW)

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> photo = np.zeros((1, 60, 80), dtype=np.float32)
    >>> responses(SimpleConvNet(), photo, "conv1").shape
    (30, 56, 76)
    """
    part = nn.trunk(model, layer)
    conv = nn.layer_at(model, layer)
    with part.evaluating():
        y = part(image[np.newaxis])[0]
    bias = getattr(conv, "bias", None)
    return y if bias is None else y - bias.data.reshape(-1, 1, 1)


@as_written
def applied(
    model: Layer,
    images: Sequence[Array],
    *,
    layer: str | None = None,
    chosen: Sequence[int] | None = None,
    most: int = 16,
    titles: Sequence[str] = (),
) -> Figure:
    """Draw filters of a convolution, and beside each its responses to pictures of any size.

    Parameters
    ----------
    model : Layer
    images : sequence of arrays (C, H, W)
        In [0, 1]; sizes may differ.
    layer : str, optional
        A convolution; by default the first one.
    chosen : sequence of int, optional
        Which filters, in this order. By default the clearest of each group of `EdgeAnswers`.
    most : int
        The most filters by default.
    titles : sequence of str
        Of the images.

    Returns
    -------
    matplotlib.figure.Figure
        Filters in groups: those that respond to vertical edges, to horizontal ones, and so on.
        Middle grey is 0, white positive and black negative; each filter has its own scale.

    Raises
    ------
    ArgumentError
        If the model has no convolution, or none of that name; if a filter does not exist; without
        an image.
    ShapeError
        If an image does not have the model's channels, or is smaller than a filter.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> photo = np.random.default_rng(0).random((1, 60, 80), dtype=np.float32)
    >>> figure = applied(SimpleConvNet(rng=np.random.default_rng(0)), [photo], chosen=[3, 7])
    >>> len(figure.axes)                        # the photo; two filters and their responses
    5
    """
    found = convolutions(model)
    layer = next(iter(found)) if layer is None else layer
    if layer not in found:
        raise ArgumentError(
            f"must be a convolution: {', '.join(found)}; received {layer!r}.", where="layer"
        )
    if not images:
        raise ArgumentError("needs at least one image.", where="images")
    weight = found[layer]
    answers = edge_answers(weight)
    shown = _choice(answers, chosen, most)
    maps = [responses(model, np.asarray(image), layer) for image in images]
    return _drawn(images, weight, answers, shown, maps, titles, layer)


def _choice(answers: EdgeAnswers, chosen: Sequence[int] | None, most: int) -> list[int]:
    count = len(answers.groups)
    if chosen is not None:
        for k in chosen:
            if not 0 <= k < count:
                raise ArgumentError(
                    f"there is no filter {k}: this layer has {count}, counted from 0.",
                    where="filters",
                )
        return list(chosen)
    if most < 1:
        raise ArgumentError(f"must be 1 or more, received {most}.", where="most")
    groups = {g: [int(k) for k in answers.order() if answers.groups[k] == g] for g in GROUPS}
    # Take one of each group in turn, or a large group would crowd out the others.
    turns = [(place, g) for g in GROUPS for place in range(len(groups[g]))]
    taken = {(g, place) for place, g in sorted(turns, key=lambda t: t[0])[:most]}
    return [k for g in GROUPS for place, k in enumerate(groups[g]) if (g, place) in taken]


def _drawn(
    images: Sequence[Array],
    weight: Array,
    answers: EdgeAnswers,
    shown: list[int],
    maps: list[Array],
    titles: Sequence[str],
    layer: str,
) -> Figure:
    sizes = [_inches(image.shape[1:]) for image in images]
    wide, tall = sum(w + GAP for w, _ in sizes), max(h for _, h in sizes)
    card, row = FILTER + GAP + wide + 0.2, tall + 0.34  # inches: a filter with its answers
    across = max(1, min(int(WIDEST // card), math.ceil(math.sqrt(1.4 * len(shown) * row / card))))
    down = math.ceil(len(shown) / across)
    page = _Page(max(across * card, wide + NOTE), 0.3 + max(tall, 1.0) + 0.12 + down * row + 0.1)
    x = MARGIN
    for k, (image, (w, h)) in enumerate(zip(images, sizes, strict=True)):
        axes = page.axes(x, 0.3, w, h)
        axes.imshow(as_picture(image), cmap="gray", vmin=0, vmax=1, aspect="auto")
        size = f"{image.shape[1]}x{image.shape[2]}"
        room = max(w * 72 / LETTERS, 8) - breadth(f", {size}", bold=False)
        name = f"{figure_text(titles[k], room)}, {size}" if k < len(titles) else size
        page.write(x, 0.27, name, va="bottom")
        x += w + GAP
    many = f"{len(shown)} of {len(weight)} filters" if len(shown) < len(weight) else "The filters"
    pictures = f"picture{'s' * (len(images) > 1)}"
    note = f"{many} of {figure_text(layer, 24)}, and their responses to the {pictures}. {SAID}"
    page.write(x + 0.1, 0.3, "\n".join(textwrap.wrap(note, 44)), va="top", linespacing=1.4)
    top = 0.3 + max(tall, 1.0) + 0.12
    for place, k in enumerate(shown):
        x = MARGIN + place % across * card
        y = top + place // across * row + 0.24
        _filter(page, weight[k], x, y, tall)
        x += FILTER + GAP
        bold = "bold" if answers.groups[k] in ("vertical", "horizontal") else "normal"
        page.write(x, y - 0.03, f"{k}: {answers.label(k)}", va="bottom", fontweight=bold)
        # The largest responses, mostly at the picture's border, would lower the contrast of all.
        scale = max(float(np.quantile(np.abs(m[k]), 0.998)) for m in maps) or 1.0
        for m, (w, h) in zip(maps, sizes, strict=True):
            axes = page.axes(x, y, w, h)
            axes.imshow(m[k], cmap="gray", vmin=-scale, vmax=scale, aspect="auto")
            x += w + GAP
    return page.figure


def _filter(page: _Page, filter_: Array, x: float, y: float, tall: float) -> None:
    """Draw one filter in its column; of other than one or three channels their mean."""
    cells = filter_.transpose(1, 2, 0) if len(filter_) == 3 else filter_.mean(axis=0)
    fh, fw = filter_.shape[1:]
    unit = min(FILTER / fw, min(tall, FILTER) / fh)
    axes = page.axes(x, y + (tall - unit * fh) / 2, unit * fw, unit * fh)
    draw_grid(axes, cells[np.newaxis], columns=1, extent=float(np.abs(cells).max()) or 1.0)


class _Page:
    """A figure on which things are placed in inches from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width + MARGIN, height
        self.figure = new_figure(self.width, self.height, DOTS)
        self.figure.set_layout_engine("none")

    def axes(self, x: float, y: float, w: float, h: float) -> Axes:
        """Return axes of w x h inches, framed."""
        box = (x / self.width, 1 - (y + h) / self.height, w / self.width, h / self.height)
        axes = self.figure.add_axes(box)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_linewidth(0.5)
        return axes

    def write(self, x: float, y: float, text: str, **how: Any) -> None:
        """Write ``text``."""
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=LETTERS, **how)


def _inches(size: Sequence[int]) -> tuple[float, float]:
    """Return width and height of a picture of ``size`` (H, W)."""
    h, w = size
    longer = max(h, w)
    return max(MAP * w / longer, 0.5), max(MAP * h / longer, 0.3)
