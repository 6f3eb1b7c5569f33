"""The confusion matrix: which classes are predicted for which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ShapeError
from ...typing import Array
from ..drawing.canvas import as_written, new_figure
from ..drawing.writing import breadth, figure_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...training import Evaluation

__all__ = ["confusion"]

MOST_NUMBERS = 30  # classes; beyond that the numbers would not be legible
MOST_NAMES = 100  # beyond that every second, third, ... is written
LONGEST_NAME = 14.0  # in units of the letters' size


@as_written
def confusion(matrix: Array | Evaluation, classes: Sequence[str] | None = None) -> Figure:
    """Draw the counts of a confusion matrix; the darker a cell, the larger its share of the row.

    Parameters
    ----------
    matrix : integer array (K, K), or Evaluation
        Images of class i (row) that were taken for class j (column).
    classes : sequence of K str, optional
        By default those that the evaluation knows, or numbers.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the matrix is not K x K, or K is 0.

    Examples
    --------
    >>> figure = confusion(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
    >>> figure.axes[0].get_title()
    '19 of 20 right (95.00 %)'
    """
    given: Any = matrix
    if hasattr(given, "confusion"):
        classes = (given.classes or None) if classes is None else classes
        given = given.confusion
    matrix = np.asarray(given)
    classes = [str(k) for k in range(len(matrix))] if classes is None else classes
    k = len(classes)
    if not k:
        raise ShapeError("needs at least one class.", where="confusion")
    if matrix.shape != (k, k):
        raise ShapeError(
            f"expects a matrix ({k}, {k}) for {k} classes, received {matrix.shape}.",
            where="confusion",
        )
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(3.6 + 0.45 * k, 14)
    figure = new_figure(side, side)
    axes = figure.subplots()
    # A root, so that one mistake in a hundred still shows.
    axes.imshow(np.sqrt(shares), cmap="Greys", vmin=0, vmax=1)
    if k <= MOST_NUMBERS:
        for i, j in zip(*np.nonzero(matrix), strict=True):
            shade = "white" if shares[i, j] > 0.3 else "black"
            axes.text(j, i, str(matrix[i, j]), ha="center", va="center", color=shade, fontsize=8)
    shown = range(0, k, math.ceil(k / MOST_NAMES))
    names = figure_texts([classes[i] for i in shown], LONGEST_NAME)
    size = min(10, 0.5 * 72 * side / len(shown))  # of letters, in points: half of the rows' height
    turned = 90 if max(map(breadth, names)) > 2.2 or k > MOST_NUMBERS else 0
    axes.set_xticks(shown, names, rotation=turned, fontsize=size)
    axes.set_yticks(shown, names, fontsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    right, total = int(np.trace(matrix)), int(matrix.sum())
    axes.set_title(f"{right} of {total} right ({100 * right / max(total, 1):.2f} %)")
    return figure
