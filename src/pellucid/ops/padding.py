"""Padding of images by zeros, by their mirror image, by their edge, or around.

    y[n,c,i,j] = x[n, c, r(i), q(j)]

where r and q say which row and column of the image a cell of the output shows, or that it shows the
constant. The gradient of a cell of x is the sum over the cells of y that show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..typing import Array
from .checks import as_floats, require_image_shape, require_images, require_real, require_shape

__all__ = ["PadMode", "four_sides", "pad2d", "pad2d_backward", "padded_shape", "shown", "sources"]

PadMode: TypeAlias = Literal["constant", "reflect", "edge", "wrap"]
Four: TypeAlias = tuple[int, int, int, int]


def pad2d(
    x: Array, padding: int | Sequence[int], mode: PadMode = "constant", value: float = 0.0
) -> Array:
    """Add rows and columns around images, or remove them.

    Parameters
    ----------
    x : array (N, C, H, W)
    padding : int, two (vertical, horizontal) or four (top, bottom, left, right)
        Cells to add on each side; a negative number removes them.
    mode : {"constant", "reflect", "edge", "wrap"}
        What the new cells show: ``value``; the image mirrored at its first or last cell, which is
        not repeated; its nearest cell; its opposite end.
    value : float

    Returns
    -------
    array (N, C, H + top + bottom, W + left + right)

    Examples
    --------
    >>> x = np.array([[[[1.0, 2.0, 3.0]]]])
    >>> [pad2d(x, (0, 0, 2, 1), mode)[0, 0, 0].astype(int).tolist()
    ...  for mode in ("constant", "reflect", "edge", "wrap")]
    [[0, 0, 1, 2, 3, 0], [3, 2, 1, 2, 3, 2], [1, 1, 1, 2, 3, 3], [2, 3, 1, 2, 3, 1]]
    """
    require_images(x, "pad2d")
    x, sides = as_floats(x), four_sides(padding)
    shape = padded_shape(x.shape[1:], sides, mode)
    if mode == "constant":
        y = np.full((len(x), *shape), value, dtype=x.dtype)
        to, of = shown(x.shape[2:], sides)
        y[:, :, *to] = x[:, :, *of]
        return y
    rows, columns = sources(x.shape[2:], sides, mode)
    return x[:, :, rows[:, np.newaxis], columns]


def pad2d_backward(
    dy: Array,
    x_shape: tuple[int, ...],
    padding: int | Sequence[int],
    mode: PadMode = "constant",
) -> Array:
    """Return the gradient (N, C, H, W): the sum of ``dy`` over the cells that show each cell."""
    require_real(dy, "pad2d_backward", "dy")
    sides = four_sides(padding)
    shape = (x_shape[0], *padded_shape(x_shape[1:], sides, mode))
    require_shape(dy, shape, "an output gradient", "(N, C, OH, OW)", "pad2d_backward")
    dx = np.zeros(x_shape, dtype=dy.dtype)
    if mode == "constant":
        to, of = shown(x_shape[2:], sides)
        dx[:, :, *of] = dy[:, :, *to]
        return dx
    rows, columns = sources(x_shape[2:], sides, mode)
    cells: Any = (slice(None), slice(None), rows[:, np.newaxis], columns)
    np.add.at(dx, cells, dy)
    return dx


def padded_shape(
    image_shape: tuple[int, ...], padding: int | Sequence[int], mode: PadMode = "constant"
) -> tuple[int, int, int]:
    """Return the shape (C, OH, OW) of an image (C, H, W) with its ``padding``.

    Raises
    ------
    ArgumentError
        If ``mode`` or ``padding`` is not of the forms that `pad2d` takes.
    ShapeError
        If nothing remains of the image, or it has no cell that the new ones could show.
    """
    if mode not in get_args(PadMode):
        raise ArgumentError(
            f"must be 'constant', 'reflect', 'edge' or 'wrap', received {mode!r}.", where="mode"
        )
    top, bottom, left, right = sides = four_sides(padding)
    c, h, w = require_image_shape(image_shape, "pad2d")
    out = h + top + bottom, w + left + right
    # What is removed on one side is not there any more to be shown on the other.
    kept = h + min(top, 0) + min(bottom, 0), w + min(left, 0) + min(right, 0)
    if min(kept) < 1:
        raise ShapeError(
            f"padding {sides} (top, bottom, left, right) leaves nothing of an image of {h}x{w}. "
            "Remove fewer rows and columns.",
            where="pad2d",
        )
    return c, *out


def four_sides(padding: int | Sequence[int]) -> Four:
    """Return ``padding`` as (top, bottom, left, right).

    Raises
    ------
    ArgumentError
        If it is not an integer, two or four of them.
    """
    sides = tuple(padding) if isinstance(padding, Sequence) else (padding,)
    whole = all(isinstance(p, Integral) and not isinstance(p, bool) for p in sides)
    if isinstance(padding, str) or not whole or len(sides) not in (1, 2, 4):
        raise ArgumentError(
            "must be an integer, two (vertical, horizontal) or four (top, bottom, left, right); "
            f"received {padding!r}.",
            where="padding",
        )
    numbers = [int(p) for p in sides]
    if len(numbers) == 1:
        numbers *= 2
    if len(numbers) == 2:
        numbers = [numbers[0], numbers[0], numbers[1], numbers[1]]
    return cast(Four, tuple(numbers))


def shown(image: tuple[int, ...], sides: Four) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the rows and columns that show the image, and those of the image that are shown."""
    to, of = [], []
    for size, before, after in zip(image, sides[::2], sides[1::2], strict=True):
        first = max(before, 0)
        to.append(slice(first, first + size + min(before, 0) + min(after, 0)))
        of.append(slice(max(-before, 0), size + min(after, 0)))
    return (to[0], to[1]), (of[0], of[1])


def sources(image: tuple[int, ...], sides: Four, mode: PadMode) -> list[Array]:
    """Return the row of the image that each row of the output shows, and likewise the columns."""
    found = []
    for size, before, after in zip(image, sides[::2], sides[1::2], strict=True):
        kept = np.arange(size)[max(-before, 0) : size + min(after, 0)]
        found.append(np.pad(kept, (max(before, 0), max(after, 0)), mode=mode))
    return found
