"""Loss and accuracy of several trainings in one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from ..drawing.canvas import as_written, new_figure
from ..drawing.writing import figure_texts
from .curves import plain_log_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from ...training import History

__all__ = ["comparison"]

# Okabe & Ito's, the dark ones first. Dashes and markers repeat with other periods than the colours,
# so that a print in grey still tells 28 lines apart.
COLORS = ("#0072B2", "#E69F00", "#000000", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST = 28
LONGEST = 20.0  # of a run's name, in units of the letters' size


@as_written
def comparison(histories: Mapping[str, History]) -> Figure:
    """Draw loss and accuracy of several trainings over the epochs.

    Parameters
    ----------
    histories : mapping of a run's name to its History
        28 at most, each with one finished epoch at least. Their batches are not drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Thick lines are measured on test or validation images, thin ones on training images.

    Raises
    ------
    ArgumentError
        If there are no runs or too many, or one has not finished an epoch.

    Examples
    --------
    >>> from pellucid.training import EpochRecord, History
    >>> runs = {
    ...     name: History([], [EpochRecord(1, 0.5, 0.9, 0.6, accuracy, 2.0)])
    ...     for name, accuracy in (("sgd", 0.8), ("adam", 0.875))
    ... }
    >>> legend = comparison(runs).axes[1].get_legend()
    >>> [text.get_text() for text in legend.get_texts()]
    ['sgd: 0.8000', 'adam: 0.8750']
    """
    if not 1 <= len(histories) <= MOST:
        raise ArgumentError(
            f"draws 1 to {MOST} runs, received {len(histories)}.", where="comparison"
        )
    for name, history in histories.items():
        if not history.epochs:
            raise ArgumentError(
                f"needs at least one finished epoch; {name!r} has none.", where="comparison"
            )
    figure = new_figure(11, 4.6)
    loss, accuracy = figure.subplots(1, 2, gridspec_kw={"wspace": 0.1})
    longest = max(history.epochs[-1].epoch for history in histories.values())
    names = figure_texts(list(histories), LONGEST)
    roles = {history.epochs[-1].role for history in histories.values()} - {None}
    common = roles.pop() if len(roles) == 1 else "test" if not roles else None
    labels: list[str] = []
    lines: list[Line2D] = []  # of the accuracies
    for k, history in enumerate(histories.values()):
        epochs = [record.epoch for record in history.epochs]
        look: dict[str, Any] = {
            "color": COLORS[k % len(COLORS)],
            "linestyle": DASHES[k % len(DASHES)],
            "marker": MARKERS[k % len(MARKERS)],
            "markevery": max(1, longest // 12),
            "markersize": 4,
        }
        last = history.epochs[-1]
        tested = last.role is not None
        on = "" if last.role == common or last.role is None else f" on {last.role} images"
        label = f"{names[k]}: {last.accuracy:.4f}" + (on if tested else " on training images")
        for axes, train, test in (
            (loss, "loss", "held_loss"),
            (accuracy, "train_accuracy", "held_accuracy"),
        ):
            # Thin, and without markers, where there is a thick line to follow.
            thin = {"linewidth": 0.7, "marker": None} if tested else {}
            line = _draw(axes, epochs, [getattr(r, train) for r in history.epochs], look | thin)
            if tested:
                values = [getattr(r, test) for r in history.epochs]
                line = _draw(axes, epochs, values, look | {"linewidth": 1.8})
        labels.append(label)
        lines.append(line)
    if all(record.loss > 0 for history in histories.values() for record in history.epochs):
        plain_log_scale(loss)
    for axes, what in ((loss, "loss"), (accuracy, "accuracy")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, 1.03 * longest)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    thick = f"{common} images" if common is not None else "test or validation images"
    loss.set_title(f"thick: {thick}, thin: training images", fontsize=9)
    accuracy.set_title("with the accuracy in the end", fontsize=9)
    # The labels afterwards: Matplotlib leaves out those that begin with an underscore.
    legend = accuracy.legend(lines, [" "] * len(lines), frameon=False, fontsize=9, handlelength=4)
    for line, text, label in zip(lines, legend.get_texts(), labels, strict=True):
        line.set_label(label)
        text.set_text(label)
    return figure


def _draw(axes: Axes, x: list[int], y: list[float | None], look: dict[str, Any]) -> Line2D:
    return axes.plot(x, [float("nan") if v is None else v for v in y], **look)[0]
