"""How filters change: the same filters after successive epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...typing import Array
from ..analysis.asked import asking
from ..drawing.canvas import BLUE, ORANGE, as_written, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["learning", "likeness"]

MOST_ROWS, MOST_COLUMNS = 16, 12
WIDEST = 16  # filters side by side
CELL = 0.52  # inches a filter


@as_written
def learning(
    epochs: Mapping[int, Array], *, most: int = MOST_ROWS, channel: int | None = None
) -> Figure:
    """Draw filters over the epochs of a training: a row for each filter, time to the right.

    Middle grey is 0, on one scale for all; filters of three channels are drawn in colour. Above
    them: their similarity to the initial and to the final filters.

    Parameters
    ----------
    epochs : mapping of int to array (FN, C, FH, FW)
        The filters after each epoch; 0 is before the training. Two epochs at least; of many, some
        that are spread evenly are drawn.
    most : int
        How many filters are drawn: those that changed most.
    channel : int, optional
        Draw this input channel in grey. By default all three in colour; otherwise channel 0.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If there are fewer than two epochs.
    ShapeError
        If the arrays are not filters of one shape, or lack the channel.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> figure = learning({k: rng.normal(size=(30, 1, 5, 5)) for k in range(4)})
    >>> curves, pictures = figure.axes
    >>> curves.get_ylabel(), len(pictures.images)                   # 16 filters after 4 epochs
    ('likeness', 64)
    """
    order = _checked(epochs, most, channel)
    first, last = epochs[order[0]], epochs[order[-1]]
    places = np.unique(np.linspace(0, len(order) - 1, MOST_COLUMNS).round().astype(int))
    shown = [order[k] for k in places]
    changed = np.abs(last - first).sum(axis=(1, 2, 3))
    rows = np.sort(np.argsort(-changed, kind="stable")[:most])
    extent = max(float(np.abs(epochs[k][rows]).max()) for k in shown) or 1.0
    blocks = max(1, min(WIDEST // (len(shown) + 1), math.ceil(len(rows) / 4)))
    deep = math.ceil(len(rows) / blocks)
    width = 0.6 + CELL * blocks * (len(shown) + 1)
    figure = new_figure(max(width, 5.2), 2.9 + CELL * deep)
    curves, pictures = figure.subplots(2, 1, height_ratios=[2.1, 0.4 + CELL * deep])
    _curves(curves, order, epochs)
    for block in range(blocks):
        part = rows[block * deep : (block + 1) * deep]
        column = block * (len(shown) + 1)
        for i, filter_ in enumerate(part):
            for j, epoch in enumerate(shown):
                picture = _picture(epochs[epoch][filter_], extent, channel)
                _place(pictures, picture, column + j, i)
            pictures.text(column - 0.1, i + 0.45, str(filter_), ha="right", va="center", fontsize=8)
        for j, epoch in enumerate(shown):
            pictures.text(column + j + 0.45, -0.1, str(epoch), ha="center", va="bottom", fontsize=8)
    pictures.set(xlim=(-0.6, blocks * (len(shown) + 1) - 1), ylim=(deep, -0.4), aspect="equal")
    pictures.set_axis_off()
    many = "" if len(rows) == len(last) else f", the {len(rows)} of {len(last)} that changed most"
    depth = last.shape[1]
    said = f", channel {channel or 0} of {depth} (from 0)" if _grey(depth, channel) else ""
    pictures.set_title(f"epoch (to the right) and filter (down){many}{said}", fontsize=8)
    return figure


@asking
def likeness(a: Array, b: Array) -> Array:
    """Return for each pair of filters (FN, ...) the cosine between them: 1 alike, -1 opposite.

    Examples
    --------
    >>> w = np.random.default_rng(0).normal(size=(2, 1, 3, 3))
    >>> np.round(likeness(w, np.stack([3 * w[0], -w[1]])), 6)
    array([ 1., -1.])
    """
    x, y = (w.reshape(len(w), -1).astype(np.float64) for w in (a, b))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return (x * y).sum(axis=1) / np.where(lengths > 0, lengths, 1)


def _checked(epochs: Mapping[int, Array], most: int, channel: int | None) -> list[int]:
    if len(epochs) < 2:
        raise ArgumentError(f"needs at least two epochs, received {len(epochs)}.", where="learning")
    if most < 1:
        raise ArgumentError(f"must be 1 or more, received {most}.", where="most")
    shapes = sorted({w.shape for w in epochs.values()})
    if len(shapes) > 1 or len(shapes[0]) != 4:
        raise ShapeError(
            f"expects filters (FN, C, FH, FW) of one shape, received {shapes}.", where="learning"
        )
    if channel is not None and not 0 <= channel < shapes[0][1]:
        raise ShapeError(
            f"there is no channel {channel}: these filters have {shapes[0][1]}, counted from 0.",
            where="learning",
        )
    return sorted(epochs)


def _curves(axes: Axes, order: list[int], epochs: Mapping[int, Array]) -> None:
    from matplotlib.ticker import MaxNLocator

    for whole, color, style, label in (
        (order[0], BLUE, "-", "first ones"),
        (order[-1], ORANGE, "--", "last ones"),
    ):
        alike = np.array([likeness(epochs[k], epochs[whole]) for k in order])
        low, middle, high = np.quantile(alike, [0.25, 0.5, 0.75], axis=1)
        marker = "o" if len(order) < 40 else None
        axes.fill_between(order, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(
            order,
            middle,
            style,
            color=color,
            marker=marker,
            markersize=3,
            label=f"with the {label}",
        )
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel("likeness", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_title("cosine; median and middle half of all filters", fontsize=8)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(frameon=False, fontsize=8)


def _grey(depth: int, channel: int | None) -> bool:
    return channel is not None or depth not in (1, 3)


def _place(axes: Axes, picture: Array, column: int, row: int) -> None:
    """Draw one filter into a square, whatever its shape, with an outline."""
    from matplotlib.patches import Rectangle

    h, w = picture.shape[:2]
    high, wide = 0.9 * h / max(h, w), 0.9 * w / max(h, w)
    # The lower edge first: down is the direction of growing rows here.
    place = (column, column + wide, row + high, row)
    axes.imshow(picture, extent=place, vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    outline = Rectangle((column, row), wide, high, fill=False)
    axes.add_patch(outline).set(edgecolor="black", linewidth=0.5)


def _picture(filter_: Array, extent: float, channel: int | None) -> Array:
    """Return one filter (C, FH, FW) as a picture in [0, 1], grey or RGB, whose 0 is 0.5."""
    scaled = (0.5 + filter_ / (2 * extent)).clip(0, 1)
    if len(filter_) == 3 and channel is None:
        return scaled.transpose(1, 2, 0)
    return scaled[channel or 0]
