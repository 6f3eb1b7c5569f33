"""im2col as a picture: every window becomes a row, and the convolution one matrix product."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...shapes import Misfit, Padding, Windows, slide
from ...typing import Array, Pair
from ..drawing.canvas import as_written
from ..drawing.cell_canvas import CHOSEN, LINE, RESULT, Board, letters_in
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
from ..drawing.writing import added, is_rounded, number, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["im2col"]

MOST = 36  # rows and columns of the matrix
MOST_FILTERS = 4
MARKS = string.ascii_lowercase + string.ascii_uppercase
GAP = 1.3  # cells between two arrays
LABEL = 1.6  # cells before the matrix, for its rows' names


@as_written
def im2col(
    x: Array,
    w: Array,
    bias: Array | float = 0.0,
    *,
    step: int = 1,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
    so_far: bool = False,
) -> Figure:
    """Draw which cells of an image go where in the matrix of `pellucid.ops.im2col`.

    The cells of the window at ``step`` bear letters; the same letters stand over the columns that
    they go to and beside the weights that they meet. Beside the matrix stand the filters as columns
    and the product, which is the convolution's output.

    Parameters
    ----------
    x : array (C, H, W)
        One image: up to four channels, and a matrix of up to 36x36.
    w : array (FN, C, FH, FW) or (C, FH, FW)
        Up to four filters.
    bias : float or array (FN,)
    step : int
        Which window is followed, counted from 1 in reading order.
    stride, padding, dilation, misfit
        As in `pellucid.shapes.slide`.
    so_far : bool
        Leave out the rows that are only laid out after this step: for a moving picture.

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
    >>> figure = im2col(np.arange(9).reshape(3, 3), np.array([[1, 0], [0, -1]]), step=2)
    >>> [text.get_text() for text in figure.axes[0].texts if "row 2" in text.get_text()]
    ['row 2 of 4: the window at [0, 1], read in the order of the letters']
    """
    x = channels_of(x, "image", "im2col")
    w = np.asarray(w, dtype=np.float64)
    w = w if w.ndim == 4 else channels_of(w, "filter", "im2col")[np.newaxis]
    biases = np.broadcast_to(np.asarray(bias, dtype=np.float64), (len(w),))
    if w.shape[1] != len(x):
        raise ArgumentError(
            f"must be as deep as its input: that has {len(x)} channels, the filter {w.shape[1]}.",
            where="filter",
        )
    windows = slide(
        (x.shape[1], x.shape[2]), (w.shape[2], w.shape[3]), stride, padding, dilation, misfit
    )
    require_legible(x, windows, "im2col")
    _require_small(windows, w)
    place = require_step(step, windows, "im2col")
    (top, bottom), (left, right) = windows.padding
    pad, moves = (top, bottom, left, right), (windows.stride, windows.dilation)
    matrix = ops.im2col(x[np.newaxis], *windows.window, moves[0], pad, moves[1])
    y = ops.conv2d(x[np.newaxis], w, biases, stride=moves[0], padding=pad, dilation=moves[1])[0]
    picture = _Picture(x, w, biases, windows, matrix, y)
    return picture.drawn(step, place, so_far)


class _Picture:
    """The layout from left to right: image, matrix, filters, product, output."""

    def __init__(
        self, x: Array, w: Array, bias: Array, windows: Windows, matrix: Array, y: Array
    ) -> None:
        self.x, self.w, self.bias, self.windows, self.matrix, self.y = (
            x,
            w,
            bias,
            windows,
            matrix,
            y,
        )
        (rows, columns), fn = matrix.shape, len(w)
        self.at_matrix = 0.6 + max(windows.padded[1], 4.2) + GAP + LABEL
        self.at_filters = self.at_matrix + max(columns, 4) + GAP
        self.at_product = self.at_filters + max(fn, 2) + GAP + 0.5
        self.at_output = self.at_product + max(fn, 2) + GAP
        self.width = max(self.at_output + max(windows.output[1], 3.6) + 0.6, 17)
        self.input_rows = windows.padded[0] + 1.6
        self.output_rows = windows.output[0] + 1.6
        heights = (rows + 2, columns + 2, len(x) * self.input_rows, fn * self.output_rows)
        self.height = max(heights)

    def drawn(self, step: int, place: tuple[int, int], so_far: bool) -> Figure:
        room = letters_in(self.width - 1.6)
        shown = (self.x, self.w, self.bias, self.y)
        texts = [*self._words(step, place), *legend(self.windows)]
        texts += [ROUNDED] * any(map(is_rounded, shown))
        written = [line for text in texts for line in wrapped(text.split(), room)]
        board = Board(self.width, self.height + 0.6 + (len(written) + 1) * LINE)
        board.fit(number(v) for a in (self.x, self.w, self.y) for v in a.flat)
        marks = iter(MARKS)
        letters = [next(marks) for _ in range(self.matrix.shape[1])]
        arrow = self._draw_image(board, place, letters)
        self._draw_matrix(board, step, letters, step if so_far else len(self.matrix))
        row = 1.7 + step - 1 + 0.5
        board.arrow(arrow, (self.at_matrix - LABEL, row))
        self._draw_output(board, step, place, step if so_far else len(self.matrix))
        board.lines(0.6, self.height + 0.4, written)
        return board.figure

    def _words(self, step: int, place: tuple[int, int]) -> list[str]:
        (i, j), (rows, columns) = place, self.matrix.shape
        y = self.y[0][place]
        terms = [
            f"{number(a)}·{number(b)}" if b >= 0 else f"{number(a)}·({number(b)})"
            for a, b in zip(self.matrix[step - 1], self.w[0].ravel(), strict=True)
        ]
        of = "" if len(self.w) == 1 else " of filter 0"
        return [
            f"row {step} of {rows}: the window at [{i}, {j}], read in the order of the letters",
            f"output[{i}, {j}]{of} = row · column = {' '.join(added(terms))} + bias "
            f"{number(self.bias[0])} = {number(y)}",
            f"numbers in the image: {self.x.size}, in the matrix: {rows}·{columns} = "
            f"{self.matrix.size}: a cell stands in one row for each window that reads it",
        ]

    def _draw_image(
        self, board: Board, place: tuple[int, int], letters: list[str]
    ) -> tuple[float, float]:
        """Draw the channels; return the middle one's right side, beside the window."""
        windows = self.windows
        chosen = window_cells(windows, place)
        cells = [(int(row), int(column)) for row, column in np.argwhere(chosen)]
        row, column = (place[a] * windows.stride[a] for a in (0, 1))
        for c, channel in enumerate(self.x):
            y = 0.1 + c * self.input_rows
            name = f", channel {c}" if len(self.x) > 1 else ""
            size = f"{windows.input[0]}x{windows.input[1]}"
            board.word(0.6, y + 0.6, f"image {size}{name}", ha="left")
            own = letters[c * len(cells) : (c + 1) * len(cells)]
            draw_input(
                board, 0.6, y + 1, channel, windows, chosen=chosen,
                marks=dict(zip(cells, own, strict=True)),
            )  # fmt: skip
            board.frame(0.6 + column, y + 1 + row, *reversed(windows.extent))
        middle = (len(self.x) - 1) // 2
        tail = 0.1 + middle * self.input_rows + 1 + row + windows.extent[0] / 2
        return 0.6 + windows.padded[1], tail

    def _draw_matrix(self, board: Board, step: int, letters: list[str], shown: int) -> None:
        """Draw the matrix, its row names, the letters over its columns, and the filters."""
        (rows, columns), ow, top = self.matrix.shape, self.windows.output[1], 1.7
        board.word(self.at_matrix, 0.7, f"im2col: {rows}x{columns}", ha="left")
        per_channel = columns // len(self.x)
        for k, letter in enumerate(letters):
            board.word(self.at_matrix + k + 0.5, top - 0.32, letter, size=8)
        for row in range(rows):
            i, j = divmod(row, ow)
            style = {"weight": "bold"} if row == step - 1 else {"color": "0.35"}
            label = f"{i}, {j}"
            board.word(self.at_matrix - 0.2, top + row + 0.5, label, size=8, ha="right", **style)
        chosen = np.zeros((rows, columns), dtype=np.bool_)
        chosen[step - 1] = True
        there = np.arange(rows)[:, np.newaxis] < shown
        draw_array(
            board, self.at_matrix, top, self.matrix, faces=np.where(chosen, CHOSEN, "white"),
            shown=np.broadcast_to(there, (rows, columns)),
        )  # fmt: skip
        for c in range(1, len(self.x)):
            board.frame(self.at_matrix + c * per_channel, top, 0, rows, line=1.8, colour="0.25")
        board.frame(self.at_matrix, top + step - 1, columns, 1)
        board.word(self.at_filters - GAP / 2 - 0.2, top + 0.5, "·", size=16)
        fn = len(self.w)
        board.word(self.at_filters, 0.7, "filter" if fn == 1 else f"{fn} filters", ha="left")
        weights = self.w.reshape(fn, -1).T
        draw_array(board, self.at_filters, top, weights, faces=np.full(weights.shape, "0.9"))
        for k, letter in enumerate(letters):
            board.word(self.at_filters - 0.3, top + k + 0.5, letter, size=8)

    def _draw_output(self, board: Board, step: int, place: tuple[int, int], steps: int) -> None:
        """Draw the product, and the same numbers as images."""
        fn, (oh, ow), top = len(self.w), self.windows.output, 1.7
        biases = ", ".join(number(b) for b in self.bias)
        board.word(self.at_product - 0.25, top + 0.5, "=", size=13, ha="right")
        board.word(self.at_product, 0.7, f"+ bias {biases}", ha="left")
        product = self.y.reshape(fn, -1).T
        shown = np.arange(oh * ow)[:, np.newaxis] < steps
        chosen = np.zeros(product.shape, dtype=np.bool_)
        chosen[step - 1] = True
        draw_array(
            board, self.at_product, top, product, faces=np.where(chosen, RESULT, "white"),
            bold=chosen, shown=np.broadcast_to(shown, product.shape),
        )  # fmt: skip
        board.frame(self.at_product, top + step - 1, fn, 1)
        spot = np.zeros((oh, ow), dtype=np.bool_)
        spot[place] = True
        for o in range(fn):
            y = 0.1 + o * self.output_rows
            name = f" {o}" if fn > 1 else ""
            board.word(self.at_output, y + 0.6, f"output{name} {oh}x{ow}", ha="left")
            draw_array(
                board, self.at_output, y + 1, self.y[o], faces=np.where(spot, RESULT, "white"),
                bold=spot, shown=shown.reshape(oh, ow),
            )  # fmt: skip
            board.frame(self.at_output + place[1], y + 1 + place[0], 1, 1)


def _require_small(windows: Windows, w: Array) -> None:
    rows, columns = windows.count, w[0].size
    if max(rows, columns) > MOST or len(w) > MOST_FILTERS:
        raise ArgumentError(
            f"can draw a matrix of {MOST}x{MOST} and {MOST_FILTERS} filters; {windows.count} "
            f"windows of {columns} cells make {rows}x{columns}, for {len(w)}. Take a smaller "
            "image or filter, or a larger stride.",
            where="im2col",
        )
