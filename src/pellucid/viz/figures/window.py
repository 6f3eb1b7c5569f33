"""The window of a convolution at one place: its products, and the sum written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...shapes import Misfit, Padding, Windows, slide
from ...typing import Array, Pair
from ..drawing.canvas import as_written
from ..drawing.cell_canvas import CHOSEN, LINE, RESULT, Board, cells_for, letters_in
from ..drawing.panels import (
    ROUNDED,
    channels_of,
    draw_array,
    draw_input,
    legend,
    require_legible,
    require_step,
    window_cells,
)
from ..drawing.writing import MINUS, added, is_rounded, number, size_formulas, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["window"]

PRODUCT = 1.7  # cells that a product is wide at least
GAP = 1.2  # cells between two arrays
NARROWEST = 17  # cells; room for the sum
LARGEST_FILTER = 7


@as_written
def window(
    x: Array,
    w: Array,
    bias: float = 0.0,
    *,
    step: int = 1,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
    so_far: bool = False,
) -> Figure:
    """Draw one step of a convolution: input, filter, products, and the sum that is the output.

    The window is tinted and outlined, padding dashed, and what no window reads hatched. All numbers
    come from `pellucid.ops.conv2d` and `im2col`.

    Parameters
    ----------
    x : array (C, H, W)
        One image: up to 16x16 with its padding, up to four channels.
    w : array (C, FH, FW)
        One filter, up to 7x7.
    bias : float
    step : int
        Where the window stands, counted from 1 in reading order.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.
    so_far : bool
        Leave out what the output has only after this step: for a moving picture.

    Returns
    -------
    matplotlib.figure.Figure
        Of one size for all steps.

    Raises
    ------
    ArgumentError, ShapeError
        If it would not be legible; if the step does not exist; if the filter does not fit.

    Examples
    --------
    >>> image = np.array([[[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]]])
    >>> filter_ = np.array([[[2, 0, 1], [0, 1, 2], [1, 0, 2]]])
    >>> figure = window(image, filter_, bias=3)
    >>> [text.get_text() for text in figure.axes[0].texts if "bias" in text.get_text()]
    ['output[0, 0] = 15 + bias 3 = 18']
    """
    x, w = channels_of(x, "image", "window"), channels_of(w, "filter", "window")
    if len(x) != len(w):
        raise ArgumentError(
            f"must be as deep as its input: that has {len(x)} channels, the filter {len(w)}.",
            where="filter",
        )
    windows = slide(
        (x.shape[1], x.shape[2]), (w.shape[1], w.shape[2]), stride, padding, dilation, misfit
    )
    require_legible(x, windows, "window")
    if max(windows.window) > LARGEST_FILTER:
        raise ArgumentError(
            f"can draw filters of {LARGEST_FILTER}x{LARGEST_FILTER}, received {windows.window[0]}x"
            f"{windows.window[1]}. Take a smaller one: the sum only has fewer terms.",
            where="window",
        )
    place = require_step(step, windows, "window")
    sums = _Sums(x, w, bias, windows)
    columns = _columns(windows, sums.wide)
    width = max(columns["end"], NARROWEST)
    room = letters_in(width - 1.6)
    written = [sums.written(divmod(k, windows.output[1]), room) for k in range(windows.count)]
    texts = [*size_formulas(windows), *legend(windows), *[ROUNDED] * sums.rounded]
    notes = [line for text in texts for line in wrapped(text.split(), room)]
    rows = max(windows.padded[0], windows.window[0]) + 1.4
    top = 0.3 + len(x) * rows
    most = max(map(len, written))
    board = Board(width, top + 0.7 + (most + len(notes)) * LINE + 0.4)
    board.fit(sums.all_numbers())
    for c in range(len(x)):
        _draw_channel(board, 0.3 + c * rows, rows - 1.4, c, columns, sums, place)
    _draw_output(board, columns, top, sums, place, step if so_far else windows.count)
    board.lines(0.6, top + 0.2, written[step - 1])
    board.lines(0.6, top + 0.5 + most * LINE, notes, color="0.3")
    return board.figure


class _Sums:
    """The numbers: products and sums of every window."""

    def __init__(self, x: Array, w: Array, bias: float, windows: Windows) -> None:
        self.x, self.w, self.bias, self.windows = x, w, bias, windows
        fh, fw = windows.window
        (top, bottom), (left, right) = windows.padding
        sliding: dict[str, Any] = {"stride": windows.stride, "dilation": windows.dilation}
        pad = (top, bottom, left, right)
        col = ops.im2col(x[np.newaxis], fh, fw, pad=pad, **sliding)
        self.read = col.reshape(*windows.output, len(x), fh, fw)
        self.products = self.read * w
        self.parts = np.stack(
            [
                ops.conv2d(
                    x[np.newaxis, c : c + 1], w[np.newaxis, c : c + 1], padding=pad, **sliding
                )
                for c in range(len(x))
            ]
        )[:, 0, 0]
        self.output = ops.conv2d(
            x[np.newaxis], w[np.newaxis], np.array([bias]), padding=pad, **sliding
        )[0, 0]
        shown = (x, w, self.products, self.parts, self.output, np.array([bias]))
        self.rounded = any(map(is_rounded, shown))
        factors = zip(self.read.flat, np.broadcast_to(w, self.read.shape).flat, strict=True)
        written = {_product(a, b) for a, b in factors}
        self.wide = max(PRODUCT, cells_for(written))

    def all_numbers(self) -> set[str]:
        """Return all that is written into cells of width 1."""
        return {number(v) for a in (self.x, self.w, self.output) for v in a.flat}

    def written(self, place: tuple[int, int], room: float) -> list[str]:
        """Return the sum at ``place`` in lines of at most ``room``."""
        lines = []
        several = len(self.x) > 1
        for c in range(len(self.x)):
            pairs = zip(self.read[place][c].flat, self.w[c].flat, strict=True)
            terms = [_product(a, b) for a, b in pairs]
            name = f"channel {c}:" if several else "sum:"
            pieces = [name, *added(terms), f"= {number(self.parts[c][place])}"]
            lines += wrapped(pieces, room)
        total = " ".join(added([number(part[place]) for part in self.parts]))
        row, column = place
        return [
            *lines,
            f"output[{row}, {column}] = {total} + bias {number(self.bias)} = "
            f"{number(self.output[place])}",
        ]


def _product(a: float, b: float) -> str:
    """Return ``a·b`` with the sign in front, where it has one: −(a·b) is read as a·(−b)."""
    second = number(b)
    return f"{number(a)}·{f'({second})' if second.startswith(MINUS) else second}"


def _columns(windows: Windows, wide: float) -> dict[str, float]:
    """Return where each array begins, and the end of the last one."""
    places, x = {}, 0.6
    for name, width in (
        ("input", windows.padded[1]),
        ("filter", windows.window[1]),
        ("products", wide * windows.window[1]),
        ("output", windows.output[1]),
    ):
        places[name] = x
        x += max(width, 3.2) + GAP
    return places | {"end": x - GAP + 0.6}


def _draw_channel(
    board: Board,
    top: float,
    height: float,
    c: int,
    columns: dict[str, float],
    sums: _Sums,
    place: tuple[int, int],
) -> None:
    """Draw the input's channel with the window, the filter's, and their products."""
    windows = sums.windows
    (fh, fw), ph, y = windows.window, windows.padded[0], top + 1
    middle = y + height / 2
    first = middle - ph / 2, middle - fh / 2
    name = f", channel {c}" if len(sums.x) > 1 else ""
    _head(board, columns["input"], top, f"input {windows.input[0]}x{windows.input[1]}{name}")
    draw_input(
        board, columns["input"], first[0], sums.x[c], windows, chosen=window_cells(windows, place)
    )
    row, column = (place[a] * windows.stride[a] for a in (0, 1))
    board.frame(columns["input"] + column, first[0] + row, *reversed(windows.extent))
    board.word(columns["filter"] - GAP / 2, middle, "×", size=14)
    _head(board, columns["filter"], top, f"filter {fh}x{fw}{name}")
    draw_array(board, columns["filter"], first[1], sums.w[c], faces=np.full((fh, fw), "0.9"))
    board.word(columns["products"] - GAP / 2, middle, "=", size=14)
    _head(board, columns["products"], top, f"products{name}")
    for u, v in np.ndindex(fh, fw):
        board.cell(
            columns["products"] + sums.wide * v,
            first[1] + u,
            number(sums.products[place][c, u, v]),
            width=sums.wide,
            face=CHOSEN,
            above=_product(sums.read[place][c, u, v], sums.w[c, u, v]),
        )


def _draw_output(
    board: Board,
    columns: dict[str, float],
    bottom: float,
    sums: _Sums,
    place: tuple[int, int],
    steps: int,
) -> None:
    """Draw the output's first ``steps`` numbers in the middle of the channels' height."""
    oh, ow = sums.windows.output
    x = columns["output"]
    middle = (0.3 + bottom - 1.4) / 2 + 0.7
    y = middle + 0.3 - oh / 2
    chosen = np.zeros((oh, ow), dtype=np.bool_)
    chosen[place] = True
    shown = np.arange(oh * ow).reshape(oh, ow) < steps
    board.word(x - GAP / 2, middle + 0.3, "Σ", size=13)
    _head(board, x, y - 1, f"output {oh}x{ow}")
    faces = np.where(chosen, RESULT, "white")
    draw_array(board, x, y, sums.output, faces=faces, bold=chosen, shown=shown)
    board.frame(x + place[1], y + place[0], 1, 1)


def _head(board: Board, x: float, y: float, text: str) -> None:
    board.word(x, y + 0.6, text, ha="left")
