"""The filters of a convolution as small pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...names import listed
from ...nn import Layer
from ...typing import Array
from ..analysis.asked import asking
from ..analysis.convolutions import convolutions
from ..analysis.ordering import Order, ordered
from ..drawing.canvas import as_written, new_figure
from ..drawing.grid import columns_for, draw_grid, tiles
from ..drawing.writing import breadth, figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Channels", "filters", "mosaic"]

Channels: TypeAlias = int | Literal["all", "rgb"]

CELL, PANEL, LARGEST = 0.45, 3.6, 13.0  # inches: a filter, and the sides of a panel
SMALLEST = 4.5  # points: smaller numbers are left out
POINTS = 72  # an inch


@as_written
def filters(
    weight: Array | Layer,
    before: Array | Layer | None = None,
    *,
    layer: str | None = None,
    channels: Channels | None = None,
    order: Order = "none",
    title: str = "",
) -> Figure:
    """Draw filters as pictures: middle grey is 0, white the largest and black the most negative.

    Filters of three channels are drawn in colour: the red, green and blue of each cell are the
    weights for the image's, grey being 0. A filter that answers to red on green is red and green.

    Parameters
    ----------
    weight : array (FN, C, FH, FW), or Layer
        A convolution's weights, or a model with one.
    before : array of the same shape, or Layer, optional
        The same filters at another time, usually before training, drawn to the left of them on
        the same scale.
    layer : str, optional
        Which convolution of a model; by default the first.
    channels : int, "all" or "rgb", optional
        One input channel of each filter; a row for each filter with all channels; or three in
        colour. By default colour if there are three, otherwise channel 0.
    order : {"none", "norm", "similar"}
        See `pellucid.viz.analysis.ordering`; by ``weight``, for both panels.
    title : str
        Over all of it.

    Returns
    -------
    matplotlib.figure.Figure
        The filters' numbers, counted from 0, stand under them where there is room.

    Raises
    ------
    ArgumentError
        For another order or other channels, or if a model has no such convolution.
    ShapeError
        If the arrays are not filters, lack the channel, or differ in shape.

    Examples
    --------
    >>> w = np.random.default_rng(0).normal(size=(30, 1, 5, 5))
    >>> len(filters(w, before=w / 2).axes)                      # two panels and the scale
    3
    >>> from pellucid.models import SimpleConvNet
    >>> len(filters(SimpleConvNet(), layer="conv1").axes)
    2
    """
    weight = _weights(weight, layer)
    channels = _checked(weight, channels)
    panels = [("", weight)]
    if before is not None:
        before = _weights(before, layer)
        if before.shape != weight.shape:
            raise ShapeError(
                f"expects both of one shape, received {before.shape} and {weight.shape}.",
                where="filters",
            )
        panels = [("before training", before), ("after training", weight)]
    extent = max(float(np.abs(w[np.isfinite(w)]).max(initial=0)) for _, w in panels) or 1.0
    places = ordered(weight, order)
    fn, depth, fh, fw = weight.shape
    if channels == "all":
        blocks, rows = _blocks(fn, depth)
        columns = depth
    else:
        blocks, columns = 1, columns_for(fn, fh, fw)
        rows = math.ceil(fn / columns)
    width, height = _panel(
        (columns + 1) * blocks - 1, rows if channels == "all" else 1.2 * rows, fw / fh
    )
    figure = new_figure(1.3 + width * len(panels), height + 0.8)
    grid = np.atleast_1d(figure.subplots(1, blocks * len(panels), gridspec_kw={"wspace": 0.06}))
    for place, axes in enumerate(grid):
        name, w = panels[place // blocks]
        part = places[place % blocks * rows :][:rows] if channels == "all" else places
        if channels == "all":
            _all_channels(axes, w[part], extent, part, rows, height / rows)
        else:
            pictures = w[part].transpose(0, 2, 3, 1) if channels == "rgb" else w[part, channels]
            cell = min(width / (columns * (fw + 1)), height / (rows * (1.4 * fh)))
            below = max(1, round(0.4 * fh))
            size = min(7.0, 0.75 * below * cell * POINTS)
            numbered = size >= SMALLEST and fn > 1
            draw_grid(
                axes,
                pictures,
                columns=columns,
                extent=extent,
                gap=(below, 1) if numbered else (1, 1),
                numbers=places.tolist() if numbered else None,
                size=size,
            )
        if place % blocks == 0:
            axes.set_title(name, fontsize=10, loc="left" if blocks > 1 else "center")
    _scale(figure, extent, _label(depth, channels))
    sorted_ = {"none": "", "norm": "by norm", "similar": "by similarity"}[order]
    room = float(figure.get_size_inches()[0]) * 72 / 10 - breadth(f", {sorted_}")
    title = figure_text(title, max(room, 12)) if title else ""
    figure.suptitle(", ".join(filter(None, (title, sorted_))), fontsize=10)
    return figure


@asking
def mosaic(weight: Array, channel: int = 0) -> Array:
    """Lay out one channel of every filter (FN, C, FH, FW) in a near-square grid with NaN between.

    Examples
    --------
    >>> mosaic(np.ones((3, 1, 2, 2))).shape                     # 2x2 places, one left empty
    (5, 5)
    """
    weight = np.asarray(weight)
    _checked(weight, channel)
    fn, _, fh, fw = weight.shape
    return tiles(weight[:, channel], columns_for(fn, fh, fw))


def _weights(given: Array | Layer, layer: str | None) -> Array:
    """Return filters, or those of a model's convolution."""
    if not isinstance(given, Layer):
        return np.asarray(given)
    found = convolutions(given)
    if layer is None:
        return next(iter(found.values()))
    if layer not in found:
        raise ArgumentError(
            f"there is no convolution {layer!r}; this model has {listed(found)}.", where="layer"
        )
    return found[layer]


def _checked(weight: Array, channels: Channels | None) -> Channels:
    """Return the channels to draw, or raise."""
    if weight.ndim != 4 or not weight.size:
        raise ShapeError(
            f"expects filters (FN, C, FH, FW), received {weight.shape}.", where="filters"
        )
    depth = weight.shape[1]
    if channels is None:
        return "rgb" if depth == 3 else 0
    if channels == "rgb" and depth != 3:
        raise ShapeError(
            f"only filters of three channels can be drawn in colour; these have {depth}. Give a "
            "channel's number, or 'all'.",
            where="filters",
        )
    if channels in ("all", "rgb"):
        return channels
    if not isinstance(channels, int | np.integer):
        raise ArgumentError(
            f"must be a channel's number, 'all' or 'rgb', received {channels!r}.", where="channels"
        )
    if not 0 <= channels < depth:
        raise ShapeError(
            f"there is no channel {channels}: these filters have {depth}, counted from 0.",
            where="filters",
        )
    return int(channels)


def _blocks(fn: int, depth: int) -> tuple[int, int]:
    """Return how many columns of rows make ``fn`` filters near square, and their rows."""
    blocks = max(1, min(8, round(math.sqrt(fn / (depth + 1)))))
    rows = math.ceil(fn / blocks)
    return math.ceil(fn / rows), rows


def _panel(columns: int, rows: float, shape: float) -> tuple[float, float]:
    """Return width and height of a panel, in inches, for pictures ``shape`` times as wide."""
    width, height = columns * CELL * max(shape, 1), rows * CELL / min(shape, 1)
    grow = max(1.0, PANEL / max(width, height))
    shrink = min(1.0, LARGEST / (grow * max(width, height)))
    return max(2.8, width * grow * shrink), max(3.3, height * grow * shrink)


def _all_channels(
    axes: Axes, weight: Array, extent: float, numbers: Array, rows: int, row: float
) -> None:
    """Draw a row for each filter, a column for each channel, and say which is which."""
    fn, depth, fh, fw = weight.shape
    draw_grid(axes, weight.reshape(fn * depth, fh, fw), columns=depth, extent=extent)
    axes.set_ylim(rows * (fh + 1) - 1.5, -0.5)  # the last block may have fewer
    axes.set_axis_on()
    axes.spines[:].set_visible(False)
    axes.tick_params(
        length=0, labelsize=7, top=True, labeltop=True, bottom=False, labelbottom=False
    )
    every = math.ceil(8 / (row * POINTS))  # a number takes 8 points, and 14 or 20 across
    down = np.arange(0, fn, every)
    axes.set_yticks(down * (fh + 1) + (fh - 1) / 2, [str(numbers[k]) for k in down])
    across = np.arange(0, depth, math.ceil((14 if depth <= 100 else 20) / (row * POINTS)))
    axes.set_xticks(across * (fw + 1) + (fw - 1) / 2, [str(k) for k in across])
    axes.set_ylabel("filter", fontsize=8)
    axes.set_xlabel("input channel" if depth > 3 else "channel", fontsize=8)
    axes.xaxis.set_label_position("top")


def _scale(figure: Figure, extent: float, label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-extent, extent), "gray")
    bar = figure.colorbar(scale, ax=figure.axes, shrink=0.8, aspect=30)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _label(depth: int, channels: Channels) -> str:
    if channels == "rgb":
        return "weight for red, for green, for blue"
    if depth == 1 or channels == "all":
        return "weight"
    return f"weight, channel {channels} of {depth} (from 0)"
