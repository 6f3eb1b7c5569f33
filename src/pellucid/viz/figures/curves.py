"""Loss and accuracy of a training over its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ArgumentError
from ..drawing.canvas import BLUE, ORANGE, as_written, new_figure
from ..drawing.writing import figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...training import History

__all__ = ["curves", "plain_log_scale"]

LONGEST = 60.0  # of a title, in units of the letters' size


@as_written
def curves(history: History, *, title: str = "") -> Figure:
    """Draw the loss of every batch and epoch, and the accuracies.

    Parameters
    ----------
    history : History
        With one finished epoch at least, and no batches of an unfinished one. As read from a file,
        without batches, the curves of the epochs alone are drawn.
    title : str
        Over all of it, such as the run's name.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If no epoch was finished.

    Examples
    --------
    >>> from pellucid.training import EpochRecord, History
    >>> record = EpochRecord(1, 0.5, 0.9, 0.6, 0.875, 2.0)
    >>> figure = curves(History([0.7, 0.3], [record]))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    if not history.epochs:
        raise ArgumentError("needs at least one finished epoch.", where="curves")
    figure = new_figure(10, 4)
    loss, accuracy = figure.subplots(1, 2, gridspec_kw={"wspace": 0.1})
    epochs = np.array([record.epoch for record in history.epochs])
    if history.losses:
        per_epoch = len(history.losses) / epochs[-1]
        batches = np.arange(1, len(history.losses) + 1) / per_epoch
        loss.plot(batches, history.losses, color="0.8", linewidth=0.6, label="train, each batch")
    _line(loss, epochs, [r.loss for r in history.epochs], BLUE, "-", "train, mean")
    _line(accuracy, epochs, [r.train_accuracy for r in history.epochs], BLUE, "-", "train")
    last = history.epochs[-1]
    if last.role is not None:
        _line(loss, epochs, [r.held_loss for r in history.epochs], ORANGE, "--", last.role)
        name = f"{last.role}, {last.accuracy:.4f} in the end"
        _line(accuracy, epochs, [r.held_accuracy for r in history.epochs], ORANGE, "--", name)
    if min(history.losses or [record.loss for record in history.epochs]) > 0:
        plain_log_scale(loss)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, 1.02 * last.epoch)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend(frameon=False)
    if title:
        figure.suptitle(figure_text(title, LONGEST), fontsize=10)
    return figure


def plain_log_scale(axes: Axes) -> None:
    """Make the heights logarithmic, and write 0.1, 0.2, 0.5, 1 rather than powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _line(
    axes: Axes,
    x: np.ndarray,
    y: Sequence[float | None],
    color: str,
    style: str,
    name: str,
) -> None:
    marker = "o" if len(x) < 40 else None
    values = np.array(y, dtype=float)
    axes.plot(x, values, style, color=color, marker=marker, markersize=3, label=name)
