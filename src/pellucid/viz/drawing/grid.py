"""Many small pictures on one pair of axes: a grid with outlines, and a number under each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["as_picture", "columns_for", "corners", "draw_grid", "tiles"]

MOST_OUTLINES = 20_000  # beyond that they would be all one sees


def columns_for(n: int, h: int = 1, w: int = 1) -> int:
    """Return how many of ``n`` pictures of h x w stand in a row, for a grid that is near square.

    Examples
    --------
    >>> columns_for(30), columns_for(30, 1, 9)
    (6, 2)
    """
    return max(1, min(n, math.ceil(math.sqrt(n * h / w))))


def tiles(pictures: Array, columns: int, gap: tuple[int, int] = (1, 1)) -> Array:
    """Lay out pictures (N, H, W) or (N, H, W, 3) row by row, with NaN between.

    Examples
    --------
    >>> tiles(np.ones((3, 2, 2)), columns=2).shape              # one place is left empty
    (5, 5)
    """
    n, h, w = pictures.shape[:3]
    rows = math.ceil(n / columns)
    size = rows * (h + gap[0]) - gap[0], columns * (w + gap[1]) - gap[1]
    sheet = np.full((*size, *pictures.shape[3:]), np.nan)
    for (y, x), picture in zip(corners(n, h, w, columns, gap), pictures, strict=True):
        sheet[y : y + h, x : x + w] = picture
    return sheet


def corners(
    n: int, h: int, w: int, columns: int, gap: tuple[int, int] = (1, 1)
) -> list[tuple[int, int]]:
    """Return row and column of each picture's first cell in the sheet of `tiles`.

    Examples
    --------
    >>> corners(3, 2, 2, columns=2)
    [(0, 0), (0, 3), (3, 0)]
    """
    down, across = h + gap[0], w + gap[1]
    return [((i // columns) * down, (i % columns) * across) for i in range(n)]


def draw_grid(
    axes: Axes,
    pictures: Array,
    *,
    columns: int | None = None,
    extent: float = 1.0,
    gap: tuple[int, int] = (1, 1),
    numbers: Sequence[int | str] | None = None,
    size: float = 7,
) -> AxesImage:
    """Draw pictures (N, H, W), middle grey being 0; or (N, H, W, 3), each channel in that manner.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Its frame and ticks are put away.
    pictures : array
    columns : int, optional
        By default as many as make the grid near square.
    extent : float
        The value that is white; its negative is black.
    gap : (int, int)
        Free rows and columns between them.
    numbers : sequence, optional
        Written under each picture, into the gap.
    size : float
        Of the numbers, in points.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    from matplotlib.collections import PolyCollection

    n, h, w = pictures.shape[:3]
    columns = columns or columns_for(n, h, w)
    sheet = tiles(pictures, columns, gap)
    if sheet.ndim == 3:
        sheet = (0.5 + sheet / (2 * extent)).clip(0, 1)
        opaque = np.isfinite(sheet[..., :1]).astype(float)
        image = axes.imshow(np.concatenate([np.nan_to_num(sheet, nan=1.0), opaque], axis=2))
    else:
        image = axes.imshow(sheet, cmap="gray", vmin=-extent, vmax=extent)
    places = corners(n, h, w, columns, gap)
    if n <= MOST_OUTLINES:  # or white cells would run into the page
        box = np.array([(0, 0), (w, 0), (w, h), (0, h)]) - 0.5
        outlines = [box + np.array([x, y]) for y, x in places]
        thin = 0.5 if n <= 1000 else 0.2
        axes.add_collection(
            PolyCollection(
                outlines, facecolors="none", edgecolors="black", linewidths=thin, clip_on=False
            ),
            autolim=False,
        )
    if numbers is not None:
        for (y, x), number in zip(places, numbers, strict=True):
            axes.text(
                x + (w - 1) / 2, y + h - 0.4, str(number), ha="center", va="top", fontsize=size
            )
    axes.set_axis_off()
    return image


def as_picture(image: Array) -> Array:
    """Return an image (C, H, W) in [0, 1] as Matplotlib draws it: RGB (H, W, 3), or grey (H, W).

    Of any other number of channels than three the mean is drawn.

    Examples
    --------
    >>> as_picture(np.zeros((3, 4, 5))).shape, as_picture(np.zeros((1, 4, 5))).shape
    ((4, 5, 3), (4, 5))
    """
    if len(image) == 3:
        return np.asarray(image).transpose(1, 2, 0).clip(0, 1)
    return np.asarray(image).mean(axis=0)
