"""The filters of a convolution as small pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ShapeError
from ..typing import Array
from .canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["filters", "mosaic"]


def filters(weight: Array, before: Array | None = None, *, channel: int = 0) -> Figure:
    """Draw filters as pictures: middle grey is 0, white the largest and black the most negative.

    Parameters
    ----------
    weight : array (FN, C, FH, FW)
        A convolution's weights.
    before : array of the same shape, optional
        The same filters at another time, usually before training, drawn to the left of them on
        the same scale.
    channel : int
        Which input channel of each filter is shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If these are no filters, or the two differ in shape.

    Examples
    --------
    >>> w = np.random.default_rng(0).normal(size=(30, 1, 5, 5))
    >>> len(filters(w, before=w / 2).axes)                      # two panels and the scale
    3
    """
    from matplotlib.patches import Rectangle

    panels = [("filters", weight)]
    if before is not None:
        if before.shape != weight.shape:
            raise ShapeError(
                f"expects both of one shape, received {before.shape} and {weight.shape}.",
                where="filters",
            )
        panels = [("before training", before), ("after training", weight)]
    extent = max(float(np.abs(w).max()) for _, w in panels) or 1.0
    figure = new_figure(1 + 4.5 * len(panels), 4.4)
    for axes, (title, w) in zip(
        np.atleast_1d(figure.subplots(1, len(panels), gridspec_kw={"wspace": 0.1})),
        panels,
        strict=True,
    ):
        image = axes.imshow(mosaic(w, channel), cmap="gray", vmin=-extent, vmax=extent)
        for y, x in _corners(w):  # an outline, or white cells would run into the page
            outline = Rectangle((x - 0.5, y - 0.5), w.shape[3], w.shape[2], fill=False)
            axes.add_patch(outline).set(edgecolor="black", linewidth=0.5, clip_on=False)
        axes.set_title(title)
        axes.set_axis_off()
    depth = weight.shape[1]
    label = "weight" if depth == 1 else f"weight, channel {channel} of {depth} (from 0)"
    figure.colorbar(image, ax=figure.axes, shrink=0.8, label=label)
    return figure


def mosaic(weight: Array, channel: int = 0) -> Array:
    """Lay out one channel of every filter (FN, C, FH, FW) in a near-square grid with NaN between.

    Examples
    --------
    >>> mosaic(np.ones((3, 1, 2, 2))).shape                     # 2x2 places, one left empty
    (5, 5)
    """
    if weight.ndim != 4 or not 0 <= channel < weight.shape[1]:
        raise ShapeError(
            f"expects filters (FN, C, FH, FW) with a channel {channel}, received {weight.shape}.",
            where="filters",
        )
    fn, _, fh, fw = weight.shape
    columns = _columns(fn)
    rows = math.ceil(fn / columns)
    picture = np.full((rows * (fh + 1) - 1, columns * (fw + 1) - 1), np.nan)
    for i, (y, x) in enumerate(_corners(weight)):
        picture[y : y + fh, x : x + fw] = weight[i, channel]
    return picture


def _corners(weight: Array) -> list[tuple[int, int]]:
    """Return row and column of each filter's first cell in the mosaic."""
    fn, _, fh, fw = weight.shape
    columns = _columns(fn)
    return [((i // columns) * (fh + 1), (i % columns) * (fw + 1)) for i in range(fn)]


def _columns(fn: int) -> int:
    return math.ceil(math.sqrt(fn))
