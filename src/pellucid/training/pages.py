"""A history and an evaluation in a notebook: tables, curves, and a confusion matrix."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from ..display.charts import Line, chart
from ..display.confusion import MOST_NUMBERS, class_table, matrix_table
from ..display.html import Html, element, table
from ..display.output import framed
from ..display.pictures import image
from ..display.reliability import reliability_chart
from .history import EpochRecord

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .history import History

__all__ = ["evaluation_html", "history_html"]

OPEN_EPOCHS = 20  # of more, the table is shown when it is asked for


def history_html(history: History) -> str | None:
    """Return curves of loss and accuracy, and a table of the epochs; None without an epoch."""
    records = history.epochs
    if not records:
        return None
    last = records[-1]
    known = [f.name for f in fields(EpochRecord) if getattr(last, f.name) is not None]
    known.sort(key=lambda name: name == "seconds")  # the last column
    charts = []
    for kind in ("loss", "accuracy"):
        curves = [name for name in known if name.endswith(kind)]
        lines = [
            Line(name.removesuffix(kind).strip("_") or "train", [getattr(r, name) for r in records])
            for name in curves
        ]
        ends = ", ".join(f"{name} {getattr(last, name):.4f}" for name in curves)
        said = f"{kind} over the epochs; finally {ends}".replace("_", " ")
        charts.append(
            element("figure", Html(chart(lines, kind, "epoch", said, log=kind == "loss")))
        )
    rows = [[_number(name, getattr(record, name)) for name in known] for record in records]
    opened = "" if len(records) <= OPEN_EPOCHS else None
    numbers = table([name.replace("_", " ") for name in known], rows)
    title = f"{len(records):,} epoch{'s' * (len(records) != 1)}"
    return framed(
        element("div", *charts, class_="charts"),
        element("details", element("summary", title), numbers, open=opened),
    )


def evaluation_html(result: Evaluation) -> str:
    """Return accuracy and loss, the confusion matrix, and the results by class."""
    matrix = result.confusion
    right, total, count = int(matrix.trace()), int(matrix.sum()), len(matrix)
    names = result.classes or tuple(map(str, range(count)))
    accuracy = element("strong", f"accuracy {result.accuracy:.4f}")
    means = f"balanced accuracy {result.balanced_accuracy:.4f}, macro F1 {result.macro_f1:.4f}"
    parts = [
        element("p", accuracy, f" ({right:,} of {total:,} images), loss {result.loss:.4f}"),
        element("p", means, class_="note"),
    ]
    if count <= MOST_NUMBERS:
        parts.append(matrix_table(matrix, names))
    else:
        # The square root, so that one mistake in a hundred is visible.
        shades = np.sqrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
        grey = (255 * (1 - shades)).round().astype(np.uint8)
        alt = f"confusion matrix of {count} classes; rows: true class, columns: predicted class"
        picture = element("figure", Html(image(grey, alt)), element("figcaption", alt))
        parts.append(element("div", picture, class_="full"))
    by_class = class_table(matrix, names)
    opened = "" if count <= MOST_NUMBERS else None
    parts.append(element("details", element("summary", "by class"), by_class, open=opened))
    if result.calibration is not None:
        parts.append(element("details", element("summary", "calibration"), _reliability(result)))
    return framed(*parts)


def _reliability(result: Evaluation) -> Html:
    """Return the reliability diagram with its numbers."""
    found = result.calibration
    assert found is not None
    said = (
        f"expected calibration error {found.ece:.4f}; mean confidence {found.confidence:.4f}, "
        f"accuracy {found.accuracy:.4f}"
    )
    drawn = reliability_chart(found.edges, found.counts, found.confidences, found.accuracies, said)
    figure = element("figure", drawn, element("figcaption", said))
    return element("div", figure, class_="charts")


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return (
        f"{value}" if name == "epoch" else f"{value:.1f}" if name == "seconds" else f"{value:.4f}"
    )
