"""The most confident mistakes of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...data import Dataset
from ...errors import ArgumentError, ShapeError
from ...typing import Array
from ..analysis.asked import asking
from ..drawing.canvas import as_written, new_figure
from ..drawing.writing import breadth, figure_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["mistakes", "ranked_mistakes"]

WIDEST = 12.0  # of a line over an image, in units of the letters' size


@as_written
def mistakes(dataset: Dataset, probabilities: Array, *, most: int = 25) -> Figure:
    r"""Draw the most confident mistakes: the true class of each image, and the predicted one.

    Parameters
    ----------
    dataset : Dataset
        With images of one channel or three; of others the first channel is drawn.
    probabilities : array (N, K)
        What `pellucid.predict` returns for its images, in their order.
    most : int
        The number of mistakes to draw.

    Returns
    -------
    matplotlib.figure.Figure
        The most confident mistake first, row by row.

    Raises
    ------
    ShapeError
        If the probabilities are not those of these images and classes.
    ArgumentError
        If there are no mistakes.

    Examples
    --------
    >>> from pellucid import data
    >>> _, test = data.digits()
    >>> p = np.eye(10)[test.labels]
    >>> p[7] = np.roll(p[7], 1)                                 # a 9 predicted as a 0
    >>> axes = mistakes(test, p).axes[0]
    >>> int(test.labels[7]), axes.get_title()
    (9, 'true: 9\n→ 0  (100.0 %)')
    """
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (len(dataset), len(dataset.classes)):
        raise ShapeError(
            f"expects probabilities {(len(dataset), len(dataset.classes))} for these images and "
            f"classes, received {probabilities.shape}.",
            where="mistakes",
        )
    if most < 1:
        raise ArgumentError(f"must be 1 or more, received {most}.", where="most")
    wrong = ranked_mistakes(dataset.labels, probabilities)
    if not len(wrong):
        raise ArgumentError(
            f"there are none: all {len(dataset)} images are classified correctly.", where="mistakes"
        )
    chosen = wrong[:most]
    actual = figure_texts(dataset.classes, WIDEST - breadth("true: ", bold=False))
    predicted = figure_texts(dataset.classes, WIDEST - breadth("→   (99.9 %)", bold=False))
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    figure = new_figure(max(1.5 * columns, 4), 1.85 * rows + 0.5)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, chosen, strict=False):
        guess = int(probabilities[index].argmax())
        image = dataset.images[index].astype(np.float32) / dataset.peak
        if len(image) == 3:
            axes.imshow(image.transpose(1, 2, 0).clip(0, 1))
        else:
            axes.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        true, guessed = actual[dataset.labels[index]], predicted[guess]
        said = f"true: {true}\n→ {guessed}  ({100 * probabilities[index, guess]:.1f} %)"
        axes.set_title(said, fontsize=8.5)
    figure.suptitle(
        f"{len(chosen)} most confident of {len(wrong):,} mistakes in {len(dataset):,} images\n"
        "the true class, → the predicted one (its probability)",
        fontsize=9,
    )
    return figure


@asking
def ranked_mistakes(labels: Array, probabilities: Array) -> Array:
    """Return the indices of the misclassified images, the most confident mistake first.

    Examples
    --------
    >>> p = np.array([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8]])
    >>> ranked_mistakes(np.array([0, 0, 0]), p)
    array([2, 0])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    sure = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-sure, kind="stable")]
