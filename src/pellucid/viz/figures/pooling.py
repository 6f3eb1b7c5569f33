"""Pooling as a picture: which cell wins, and where its gradient goes."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Literal

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...shapes import Misfit, Padding, Windows
from ...typing import Array, Pair
from ..drawing.canvas import as_written
from ..drawing.cell_canvas import CHOSEN, LINE, RESULT, Board, letters_in
from ..drawing.panels import ROUNDED, channels_of, draw_input, legend, require_legible
from ..drawing.writing import MINUS, is_rounded, number, size_formulas, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["pooling"]

GAP = 1.5  # cells between two arrays
MARKS = string.ascii_lowercase + string.ascii_uppercase


@as_written
def pooling(
    x: Array,
    size: Pair = 2,
    stride: Pair | None = None,
    *,
    dy: Array | None = None,
    kind: Literal["max", "average", "both"] = "both",
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Figure:
    """Draw pooling forward and backward: each window's maximum, and the path of its gradient.

    Windows bear letters in the output. With the maximum, a cell that wins is outlined and bears the
    letters of the windows that it won; the gradient goes to it alone, and adds up where it won
    several. With the average every cell of the window gets its share. All numbers come from
    `pellucid.ops`.

    Parameters
    ----------
    x : array (C, H, W)
        One image: up to 16x16 with its padding, up to four channels.
    size, stride : int or (int, int)
        Of the window; the stride is its size by default.
    dy : array (C, OH, OW), optional
        The gradient that comes back; 1, 2, 3, ... by default.
    kind : {"max", "average", "both"}
    padding, dilation, misfit
        As in `pellucid.shapes.slide`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError, ShapeError
        If it would not be legible; if the window or the gradient does not fit.

    Examples
    --------
    >>> figure = pooling(np.array([[1, 2, 5, 3], [4, 0, 1, 1]]), kind="max")
    >>> marks = [text.get_text() for text in figure.axes[0].texts]
    >>> marks[marks.index("5") + 1]                              # won by the second window
    'b'
    """
    x = channels_of(x, "image", "pooling")
    windows = ops.pool2d_windows(x.shape, size, stride, padding, dilation, misfit)
    require_legible(x, windows, "pooling")
    if windows.count > len(MARKS):
        raise ArgumentError(
            f"can tell {len(MARKS)} windows apart by letters, received {windows.count}. Take a "
            "smaller input or a larger stride.",
            where="pooling",
        )
    if kind not in ("max", "average", "both"):
        raise ArgumentError(f"must be 'max', 'average' or 'both', received {kind!r}.", where="kind")
    shape = (len(x), *windows.output)
    if dy is None:
        dy = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    dy = channels_of(dy, "gradient", "dy")
    if dy.shape != shape:
        raise ArgumentError(
            f"must have the output's shape {shape}, received {dy.shape}.", where="dy"
        )
    ways = [_maximum(x, dy, windows)] * (kind != "average")
    ways += [_average(x, dy, windows)] * (kind != "max")
    return _drawn(x, dy, windows, ways)


class _Way:
    """One kind of pooling: outputs, gradients, and the windows that each cell belongs to."""

    def __init__(self, name: str, y: Array, dx: Array, won: Array | None) -> None:
        self.name, self.y, self.dx = name, y, dx
        self.padding = "zeros" if won is None else f"{MINUS}∞, which never wins"
        self.won = won  # (C, OH, OW, H, W) boolean: cell (h, w) is the maximum of a window


def _maximum(x: Array, dy: Array, windows: Windows) -> _Way:
    y, arg_max = ops.max_pool2d(x[np.newaxis], windows)
    dx = ops.max_pool2d_backward(dy[np.newaxis], arg_max, windows)[0]
    won = np.empty((*dy.shape, *x.shape[1:]), dtype=np.bool_)
    for i, j in np.ndindex(*windows.output):
        one = np.zeros((1, *dy.shape))
        one[:, :, i, j] = 1
        won[:, i, j] = ops.max_pool2d_backward(one, arg_max, windows)[0] > 0
    return _Way("maximum", y[0], dx, won)


def _average(x: Array, dy: Array, windows: Windows) -> _Way:
    y = ops.avg_pool2d(x[np.newaxis], windows)[0]
    dx = ops.avg_pool2d_backward(dy[np.newaxis], windows)[0]
    return _Way("average", y, dx, None)


def _drawn(x: Array, dy: Array, windows: Windows, ways: list[_Way]) -> Figure:
    (ph, pw), (oh, ow) = windows.padded, windows.output
    (h, w), rows = windows.input, max(ph, oh) + 1.6
    at_output = 0.6 + max(pw, 4) + GAP
    at_gradient = at_output + max(ow, 3) + GAP + 1.2
    at_back = at_gradient + max(ow, 4) + GAP
    width = max(at_back + max(w, 5) + 0.6, 17)
    letters = [MARKS[k] for k in range(windows.count)]
    room = letters_in(width - 1.6)
    texts = [*_words(ways, windows), *size_formulas(windows)]
    texts += legend(windows, " or ".join(way.padding for way in ways))
    shown = [x, dy, *(way.y for way in ways), *(way.dx for way in ways)]
    texts += [ROUNDED] * any(map(is_rounded, shown))
    notes = [line for text in texts for line in wrapped(text.split(), room)]
    bands = len(ways) * len(x)
    board = Board(width, 0.3 + bands * rows + (len(notes) + 1) * LINE)
    board.fit(number(v) for a in shown for v in a.flat)
    for band in range(bands):
        way, c = ways[band // len(x)], band % len(x)
        top = 0.1 + band * rows
        name = way.name + (f", channel {c}" if len(x) > 1 else "")
        heads = (
            (0.6, name),
            (at_output, "output"),
            (at_gradient, "gradient dy"),
            (at_back, "gradient of the input"),
        )
        for at, head in heads:
            board.word(at, top + 0.6, head, ha="left")
        wins = None if way.won is None else np.reshape(way.won[c], (windows.count, h, w))
        _draw_input(board, 0.6, top + 1, x[c], windows, wins, letters)
        middle = top + 1 + oh / 2
        _lettered(board, at_output, top + 1, way.y[c], letters)
        _lettered(board, at_gradient, top + 1, dy[c], letters)
        board.arrow((0.6 + pw + 0.25, middle), (at_output - 0.25, middle))
        board.arrow((at_gradient + ow + 0.25, middle), (at_back - 0.25, middle))
        _draw_back(board, at_back, top + 1, way.dx[c], wins)
    board.lines(0.6, 0.3 + bands * rows, notes, color="0.3")
    return board.figure


def _draw_input(
    board: Board,
    x: float,
    y: float,
    channel: Array,
    windows: Windows,
    wins: Array | None,
    letters: list[str],
) -> None:
    """Draw the input: winners with letters, and the windows where they do not overlap."""
    (top, left), marks = (windows.padding[0][0], windows.padding[1][0]), {}
    chosen = np.zeros(windows.padded, dtype=np.bool_)
    if wins is not None:
        for row, column in np.argwhere(wins.any(axis=0)):
            won = [letters[k] for k in np.flatnonzero(wins[:, row, column])]
            marks[int(row) + top, int(column) + left] = "".join(won)
            chosen[row + top, column + left] = True
    fill = "0" if wins is None else f"{MINUS}∞"
    draw_input(board, x, y, channel, windows, chosen=chosen, marks=marks, bold=chosen, fill=fill)
    (eh, ew), (sh, sw) = windows.extent, windows.stride
    if eh <= sh and ew <= sw:
        for i, j in np.ndindex(*windows.output):
            board.frame(x + j * sw, y + i * sh, ew, eh, line=2)


def _lettered(board: Board, x: float, y: float, values: Array, letters: list[str]) -> None:
    for k, (row, column) in enumerate(np.ndindex(*values.shape)):
        text = number(values[row, column])
        board.cell(x + column, y + row, text, face=RESULT, mark=letters[k])
    board.frame(x, y, values.shape[1], values.shape[0], line=1.2, colour="0.25")


def _draw_back(board: Board, x: float, y: float, dx: Array, wins: Array | None) -> None:
    """Draw the gradient of the input; zeros, where nothing came back, are left pale."""
    got = np.asarray(dx != 0 if wins is None else wins.any(axis=0))
    for row, column in np.ndindex(*dx.shape):
        here = bool(got[row, column])
        face = CHOSEN if here else "white"
        board.cell(x + column, y + row, number(dx[row, column]), face=face, grey=not here)
    board.frame(x, y, dx.shape[1], dx.shape[0], line=1.2, colour="0.25")


def _words(ways: list[_Way], windows: Windows) -> list[str]:
    (fh, fw), words = windows.window, []
    overlap = any(windows.extent[a] > windows.stride[a] for a in (0, 1))
    adds = "; where windows overlap, gradients add up" * overlap
    for way in ways:
        if way.won is not None:
            words.append(
                "maximum: the largest cell of each window wins (the first of equals) and bears its "
                f"letter; the whole gradient goes back to it, nothing to the others{adds}"
            )
        else:
            share = f"average: every cell of a window gets 1/{fh * fw} of its gradient"
            if windows.padding != ((0, 0), (0, 0)):
                share += ", padding included"
            if windows.overhang != (0, 0):
                share += " (more where the window hangs over the end, which does not count)"
            words.append(share + adds)
    return words
