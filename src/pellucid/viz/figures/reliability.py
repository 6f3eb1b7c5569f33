"""The reliability diagram: confidence against accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing.canvas import BLUE, ORANGE, as_written, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...training import Calibration, Evaluation

__all__ = ["reliability"]


@as_written
def reliability(calibration: Calibration | Evaluation) -> Figure:
    """Draw the accuracy of the predictions at each confidence, and how many have it.

    Of a calibrated network the bars end on the diagonal: of the predictions with confidence 0.8 a
    share of 0.8 is right. Above it the network is too unsure, below it too sure. (Guo et al., "On
    calibration of modern neural networks", 2017, figure 1.)

    Parameters
    ----------
    calibration : Calibration, or Evaluation

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from pellucid.training import Calibration
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    >>> figure = reliability(Calibration.of(probabilities, np.array([0, 1, 0, 1])))
    >>> figure.axes[0].get_title()
    'expected calibration error 0.350'
    """
    given: Any = calibration
    found: Calibration = getattr(given, "calibration", given)
    edges, some = found.edges, found.counts > 0
    left, width = edges[:-1][some], np.diff(edges)[some]
    accuracy, confidence = found.accuracies[some], found.confidences[some]
    figure = new_figure(4.6, 5.6)
    top, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (4, 1)})
    top.bar(
        left, accuracy, width, align="edge", color=BLUE, alpha=0.45, edgecolor=BLUE,
        label="accuracy",
    )  # fmt: skip
    top.plot([0, 1], [0, 1], "--", color="0.35", linewidth=1.2, label="calibrated")
    # From the mean confidence of the bin, which is rarely its middle, to its accuracy.
    top.vlines(confidence, accuracy, confidence, color=ORANGE, linewidth=2.4, label="gap")
    top.plot(confidence, accuracy, "o", color=BLUE, markersize=4)
    top.set_ylim(0, 1.02)
    top.set_ylabel("accuracy")
    top.set_title(f"expected calibration error {found.ece:.3f}")
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    below.bar(left, found.counts[some] / found.counts.sum(), width, align="edge", color="0.6")
    below.set_xlim(0, 1)
    below.set_xlabel("confidence: probability of the predicted class")
    below.set_ylabel("images")
    below.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    for axes in (top, below):
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
