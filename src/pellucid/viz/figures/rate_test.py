"""The curve of a learning-rate range test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ArgumentError
from ..drawing.canvas import BLUE, ORANGE, as_written, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...training import RateTest

__all__ = ["rate_test"]

ABOVE = 0.25  # of the range of the smoothed loss up to its start: how much of a rise is drawn


@as_written
def rate_test(test: RateTest) -> Figure:
    """Draw the loss over the learning rate, with the suggested rate.

    Parameters
    ----------
    test : RateTest
        As `pellucid.training.find_lr` returns it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If not even the first step had a finite loss.

    Examples
    --------
    >>> from pellucid.training import RateTest
    >>> rates, losses = (0.001, 0.01, 0.1, 1.0), (2.3, 2.0, 0.5, 9.0)
    >>> figure = rate_test(RateTest(rates, losses, losses, diverged=True))
    >>> figure.axes[0].get_xlabel()
    'learning rate'
    """
    if not test.rates:
        raise ArgumentError(
            "has no loss to draw: that of the first step was not finite.", where="rate_test"
        )
    figure = new_figure(7, 4.2)
    axes = figure.subplots()
    axes.plot(test.rates, test.losses, color="0.75", linewidth=0.8, label="each batch")
    axes.plot(test.rates, test.smoothed, color=BLUE, linewidth=2, label="smoothed")
    if test.suggestion is not None and test.steepest is not None and test.lowest is not None:
        label = f"suggested: {test.suggestion:.2g}"
        axes.axvline(test.suggestion, color=ORANGE, linestyle="--", label=label)
        for rate, name, marker in (
            (test.steepest, "falls fastest", "v"),
            (test.lowest, "lowest", "o"),
        ):
            at = test.smoothed[test.rates.index(rate)]
            axes.plot(rate, at, marker, color="black", markersize=6, label=f"{name}: {rate:.2g}")
    low, start = min(test.smoothed), test.smoothed[0]
    room = ABOVE * (max(start, low) - low) or ABOVE * abs(start) or 1.0
    axes.set_ylim(low - room, min(max(*test.smoothed, *test.losses), start + room) + room)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    return figure
