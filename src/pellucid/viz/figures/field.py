"""The receptive field of a unit, drawn on the image: growing layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError
from ...nn import Layer
from ...nn.summaries import known_shape
from ...typing import Array, Shape
from ..analysis.asked import asking
from ..drawing.canvas import ORANGE, as_written, new_figure
from ..drawing.field_path import Field, way_to
from ..drawing.writing import breadth, figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["field", "field_steps"]

PICTURE = 5.2  # inches, the longer side
HEAD, SMALL = 9.0, 8.5  # points
MARGIN = 0.35  # inches
LONGEST = 20.0  # of a layer's name, in units of the letters' size
MOST_LINES = 24  # fields that can be told apart, and named beside the image
GRID = 40  # cells, up to which the grid is drawn


@as_written
def field(
    model: Layer,
    layer: str | None = None,
    at: tuple[int, int] | None = None,
    image: Array | None = None,
    *,
    input_shape: Shape | None = None,
    steps: int | None = None,
) -> Figure:
    """Draw the receptive field of one unit on the image, and those of the layers before it.

    Of each earlier layer with a larger field than the one before, the unit nearest to the middle of
    the chosen unit's field is drawn, which shows the field growing. The part beyond the border is
    hatched: there the network sees padding.

    Parameters
    ----------
    model : Layer
    layer : str, optional
        Its dotted name; by default the last one whose field is not larger than the image.
    at : (int, int), optional
        Row and column of the unit, from 0; the middle by default. Not for fully connected layers.
    image : array (C, H, W), optional
        What is drawn below, values in [0, 1]; an empty grid by default.
    input_shape : (C, H, W), optional
        Defaults to the image's shape, or the model's own ``input_shape``.
    steps : int, optional
        Draw the first ``step`` fields only: a frame of an animation.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the layer, unit or step does not exist, or the image has another shape.
    ShapeError
        If a layer cannot take what the one before it gives.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> figure = field(SimpleConvNet(), "pool1", (0, 0))
    >>> [text.get_text() for text in figure.axes[1].texts][-1]
    'pool1, 6x6: rows 0 to 5, columns 0 to 5'
    """
    if image is not None and input_shape is None:
        input_shape = np.shape(image)
    shape = known_shape(model, input_shape)
    if image is not None and np.shape(image) != shape:
        raise ArgumentError(
            f"must have the shape {shape} that the network expects, received {np.shape(image)}.",
            where="image",
        )
    fields, unit = way_to(model, shape, layer, at)
    if steps is not None and not 1 <= steps <= len(fields):
        raise ArgumentError(f"must be from 1 to {len(fields)}, received {steps}.", where="steps")
    return _drawn(fields, shape, image, unit, len(fields) if steps is None else steps)


@asking
def field_steps(model: Layer, layer: str | None = None, input_shape: Shape | None = None) -> int:
    """Return how many fields `field` draws for a layer: the frames of an animation.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> field_steps(SimpleConvNet(), "pool1")
    2
    """
    return len(way_to(model, known_shape(model, input_shape), layer, None)[0])


def _drawn(fields: list[Field], shape: Shape, image: Array | None, unit: str, steps: int) -> Figure:
    """Draw the image with the fields, and their list beside it."""
    _, h, w = shape
    known = [f for f in fields if not f.everything]
    margin = 0.03 * max(h, w)
    top = min([0.0, *(f.top for f in known)]) - margin
    left = min([0.0, *(f.left for f in known)]) - margin
    bottom = max([float(h), *(f.top + f.height for f in known)]) + margin
    right = max([float(w), *(f.left + f.width for f in known)]) + margin
    inch = PICTURE / max(bottom - top, right - left)
    high, wide = (bottom - top) * inch, (right - left) * inch
    listed = fields if len(fields) <= MOST_LINES else [fields[0], *fields[1 - MOST_LINES :]]
    lines = [
        f"{figure_text(f.names, LONGEST)}, {f.words(shape)}" if f.names else f.words(shape)
        for f in listed
    ]
    unit = figure_text(unit, 2 * LONGEST)
    notes = ["hatched: beyond the border, where", "the network sees padding"]
    notes = notes if any(f.beyond(shape) for f in known) else []
    column = max(breadth(t, bold=False) for t in lines) * SMALL / 72 + 0.75
    column = max(column, breadth(unit) * HEAD / 72 + 0.1)
    rows = len(lines) + 2 + len(notes) + (len(listed) < len(fields))
    leading = 1.6 * SMALL / 72
    height = max(high, rows * leading) + 2 * MARGIN
    figure = new_figure(wide + column + 3 * MARGIN, height)
    figure.set_layout_engine("none")
    total = float(figure.get_size_inches()[0])
    axes = figure.add_axes(
        (MARGIN / total, (height - MARGIN - high) / height, wide / total, high / height)
    )
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    _draw_image(axes, shape, image)
    beside = figure.add_axes(((2 * MARGIN + wide) / total, 0, column / total, 1))
    beside.set(xlim=(0, column), ylim=(height, 0))
    beside.set_axis_off()
    y = MARGIN + leading / 2
    beside.text(0, y, unit, size=HEAD, weight="bold", va="center")
    y += leading * 1.2
    if len(listed) < len(fields):
        beside.text(
            0, y, f"{len(fields)} fields; the last {MOST_LINES - 1}:", size=SMALL, va="center"
        )
        y += leading
    hatched = next((one for one in fields[steps - 1 :: -1] if not one.everything), None)
    for k, (one, line) in enumerate(zip(fields, _places(fields, listed, lines), strict=True)):
        if k < steps:
            last = k == steps - 1
            style = _style(k, last=last)
            _outline(axes, one, shape, style, hatched=one is hatched)
        if line is not None:
            if k < steps:
                beside.plot([0.02, 0.5], [y, y], **_line(style))
                beside.text(0.62, y, line, size=SMALL, va="center")
            y += leading
    for note in notes:
        y += leading * (note is notes[0]) * 0.5
        beside.text(0, y, note, size=SMALL, va="center", color="0.3")
        y += leading
    return figure


def _places(fields: list[Field], listed: list[Field], lines: list[str]) -> list[str | None]:
    """Return each field's line in the list, or None where the list has no room for it."""
    named = {id(one): line for one, line in zip(listed, lines, strict=True)}
    return [named.get(id(one)) for one in fields]


def _style(k: int, *, last: bool) -> dict[str, Any]:
    """Return a line unlike its neighbours' in print too: by dashes, and the last one by colour."""
    dashes: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
    return {
        "linestyle": "-" if last else dashes[k % len(dashes)],
        "linewidth": 2.4 if last else 1.2,
        "color": ORANGE if last else "white",
    }


def _line(style: dict[str, Any]) -> dict[str, Any]:
    """Return a field's style as it is seen on white paper."""
    from matplotlib.patheffects import Normal, Stroke

    around = Stroke(linewidth=style["linewidth"] + 1.6, foreground="black")
    return {**style, "path_effects": [around, Normal()], "solid_capstyle": "butt"}


def _outline(axes: Axes, one: Field, shape: Shape, style: dict[str, Any], *, hatched: bool) -> None:
    """Draw a field's border with a black outline, visible on any image."""
    from matplotlib.patches import Rectangle

    _, h, w = shape
    top, left, height, width = (
        (0, 0, h, w) if one.everything else (one.top, one.left, one.height, one.width)
    )
    below, above = (2.4, 0) if one.everything else (1.6, 0)
    for colour, more in (("black", below), (style["color"], above)):
        patch = Rectangle((left, top), width, height, fill=False, edgecolor=colour, zorder=5)
        patch.set(linewidth=style["linewidth"] + more, joinstyle="miter", clip_on=False)
        patch.set(linestyle="-" if colour == "black" else style["linestyle"])
        axes.add_patch(patch)
    if hatched and not one.everything:
        for x, y, across, down in _outside(top, left, height, width, h, w):
            part = Rectangle((x, y), across, down, facecolor="0.92", edgecolor="0.5", hatch="////")
            part.set(linewidth=0, zorder=1)
            axes.add_patch(part)


def _outside(
    top: float, left: float, height: float, width: float, h: int, w: int
) -> list[tuple[float, float, float, float]]:
    """Return what of a field lies beyond the image: (x, y, width, height) of each part."""
    bottom, right = top + height, left + width
    inner_top, inner_bottom = max(top, 0), min(bottom, h)
    parts = [
        (left, top, width, min(-top, height)),
        (left, max(h, top), width, min(bottom - h, height)),
        (left, inner_top, min(-left, width), inner_bottom - inner_top),
        (max(w, left), inner_top, min(right - w, width), inner_bottom - inner_top),
    ]
    return [part for part in parts if part[2] > 0 and part[3] > 0]


def _draw_image(axes: Axes, shape: Shape, image: Array | None) -> None:
    from matplotlib.patches import Rectangle

    c, h, w = shape
    extent = (0, w, h, 0)
    if image is None:
        axes.imshow(np.full((h, w), 0.86), cmap="gray", vmin=0, vmax=1, extent=extent, zorder=0)
    elif c == 3:
        axes.imshow(np.clip(image.transpose(1, 2, 0), 0, 1), extent=extent, zorder=0)
    else:
        axes.imshow(image.mean(axis=0), cmap="gray", vmin=0, vmax=1, extent=extent, zorder=0)
    axes.set_aspect("auto")  # the axes have the image's proportions
    if max(h, w) <= GRID:
        colour = "0.6" if image is None else "0.5"
        for k in range(1, h):
            axes.plot([0, w], [k, k], color=colour, linewidth=0.3, zorder=0.5)
        for k in range(1, w):
            axes.plot([k, k], [0, h], color=colour, linewidth=0.3, zorder=0.5)
    axes.add_patch(Rectangle((0, 0), w, h, fill=False, edgecolor="black", linewidth=1, zorder=2))
