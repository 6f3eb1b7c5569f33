"""Parts of the pictures of sliding windows: an input with its padding, and arrays of numbers."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...shapes import Windows
from ...typing import Array
from .cell_canvas import CHOSEN, Board
from .writing import number

__all__ = [
    "ROUNDED",
    "channels_of",
    "draw_array",
    "draw_input",
    "legend",
    "require_legible",
    "require_step",
    "window_cells",
]

ROUNDED = "numbers are rounded"
MOST_CELLS = 16  # rows and columns of an input with its padding
MOST_CHANNELS = 4


def channels_of(x: Array, what: str, where: str) -> Array:
    """Return ``x`` as (C, H, W) of floats; a matrix has one channel.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x[np.newaxis] if x.ndim == 2 else x
    if x.ndim != 3 or x.size == 0:
        raise ArgumentError(f"expects one {what} (C, H, W), received shape {x.shape}.", where=where)
    if not np.isfinite(x).all():
        raise ArgumentError("expects finite numbers, received NaN or infinity.", where=where)
    return x


def require_legible(x: Array, windows: Windows, where: str) -> None:
    """Refuse an input (C, H, W) too large to draw with legible numbers.

    Raises
    ------
    ArgumentError
        With the largest size that can be drawn.
    """
    height, width = windows.padded
    if max(height, width) > MOST_CELLS:
        raise ArgumentError(
            f"can draw {MOST_CELLS}x{MOST_CELLS} cells with legible numbers, padding included; "
            f"received {height}x{width}. Use a smaller input; the window moves in the same way.",
            where=where,
        )
    if len(x) > MOST_CHANNELS:
        raise ArgumentError(
            f"can draw {MOST_CHANNELS} channels, received {len(x)}. Take fewer: each one more only "
            "adds its products to the sum.",
            where=where,
        )


def require_step(step: int, windows: Windows, where: str) -> tuple[int, int]:
    """Return row and column of the output at ``step``, counted from 1 in reading order.

    Raises
    ------
    ArgumentError
        If it is not a step of the windows.
    """
    oh, ow = windows.output
    if not 1 <= step <= windows.count:
        raise ArgumentError(
            f"must be from 1 to {windows.count}: the window stops at {oh}x{ow} places; received "
            f"{step}.",
            where=f"{where}: step" if where else "step",
        )
    return divmod(step - 1, ow)


def window_cells(windows: Windows, place: tuple[int, int]) -> Array:
    """Return which cells of the padded input the window at ``place`` of the output reads, boolean.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> window_cells(slide((2, 3), 2), (0, 1)).astype(int).tolist()
    [[0, 1, 1], [0, 1, 1]]
    """
    dy = np.zeros((1, 1, *windows.output))
    dy[0, 0, place[0], place[1]] = 1
    return _reads(windows, dy) > 0


def _reads(windows: Windows, dy: Array) -> Array:
    """Return how often each cell of the padded input is read by windows, each counted ``dy``."""
    ones = np.ones((1, 1, *windows.window))
    x = np.zeros((1, 1, *windows.padded))
    return ops.conv2d_backward(dy, x, ones, stride=windows.stride, dilation=windows.dilation)[0][
        0, 0
    ]


def legend(windows: Windows, padding: str = "zeros") -> list[str]:
    """Return what the outlines and the hatching of `draw_input` mean, where they occur."""
    unread = not _reads(windows, np.ones((1, 1, *windows.output))).all()
    return [f"dashed: padding with {padding}"] * (windows.padding != ((0, 0), (0, 0))) + [
        "hatched: read by no window"
    ] * unread


def draw_input(
    board: Board,
    x: float,
    y: float,
    channel: Array,
    windows: Windows,
    *,
    chosen: Array | None = None,
    marks: dict[tuple[int, int], str] | None = None,
    bold: Array | None = None,
    fill: str = "0",
) -> None:
    """Draw one channel (H, W) with its padding, the left upper cell at (x, y).

    Padding is dashed and grey, cells that no window reads are hatched, ``chosen`` ones (boolean, of
    the padded size) tinted; ``marks`` are small signs in cells of the padded input, ``fill`` is
    what padding holds.
    """
    ((top, _), (left, _)), (height, width) = windows.padding, windows.padded
    padded = np.pad(channel, windows.padding)
    read = _reads(windows, np.ones((1, 1, *windows.output))) > 0
    for row, column in np.ndindex(height, width):
        own = 0 <= row - top < channel.shape[0] and 0 <= column - left < channel.shape[1]
        tinted = chosen is not None and chosen[row, column]
        board.cell(
            x + column,
            y + row,
            number(padded[row, column]) if own else fill,
            face=CHOSEN if tinted else "white",
            grey=not own,
            dashed=not own,
            hatched=not read[row, column],
            bold=bold is not None and bool(bold[row, column]),
            mark=(marks or {}).get((row, column), ""),
        )
    board.frame(x + left, y + top, channel.shape[1], channel.shape[0], line=1.2, colour="0.25")


def draw_array(
    board: Board,
    x: float,
    y: float,
    values: Array,
    *,
    faces: Array | None = None,
    bold: Array | None = None,
    shown: Array | None = None,
) -> None:
    """Draw a matrix of numbers; ``faces`` are colours, ``shown`` says which numbers are there."""
    for row, column in np.ndindex(*values.shape):
        board.cell(
            x + column,
            y + row,
            number(values[row, column]) if shown is None or shown[row, column] else "",
            face="white" if faces is None else str(faces[row, column]),
            bold=bold is not None and bool(bold[row, column]),
        )
    board.frame(x, y, values.shape[1], values.shape[0], line=1.2, colour="0.25")
