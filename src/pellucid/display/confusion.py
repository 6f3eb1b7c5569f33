"""The confusion matrix and the results by class, as HTML tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..class_metrics import ClassMetrics
from ..letters import columns
from ..names import told_apart
from .html import Html, cell, element, table

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["MOST_NUMBERS", "WORDS", "class_table", "matrix_table"]

MOST_NUMBERS = 20  # classes; of more a matrix of numbers would not be legible
LONGEST, LONGEST_SIDE = 40, 20  # columns of a name in a table, and next to a matrix
WORDS = {
    "true_class": "true class",
    "predicted_class": "predicted class",
    "class": "class",
    "images": "images",
    "found": "recall",
    "right_when_said": "precision",
    "f1": "F1",
    "most_often": "most often taken for",
    "all": "all",
}


def matrix_table(matrix: Array, classes: Sequence[str], words: Mapping[str, str] = WORDS) -> Html:
    """Return a confusion matrix (K, K) as a table: true classes as rows, predicted as columns.

    The stronger the colour of a cell, the larger its share of its row.
    """
    import numpy as np

    # The square root, so that one mistake in a hundred is visible.
    shades = np.sqrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
    names = told_apart(classes, LONGEST_SIDE)
    turned = "turned" if max(map(columns, names)) > 3 else None
    corner = element("td", f"{words['true_class']} ↓", class_="corner")
    across = element(
        "th", f"{words['predicted_class']} →", colspan=str(len(names)), class_="across"
    )
    full = [None if a == b else b for a, b in zip(names, classes, strict=True)]
    tops = [
        element("th", element("span", name, title=full[k]), scope="col", class_=turned)
        for k, name in enumerate(names)
    ]
    rows = []
    for i, name in enumerate(names):
        cells = [
            cell(
                f"{matrix[i, j]:,}",
                class_="zero" if not matrix[i, j] else "deep" if shades[i, j] > 0.55 else None,
                style=f"--share:{shades[i, j]:.2f}" if matrix[i, j] else None,
            )
            for j in range(len(classes))
        ]
        rows.append(
            element("tr", element("th", element("span", name), scope="row", title=full[i]), *cells)
        )
    head = element("thead", element("tr", element("td"), across), element("tr", corner, *tops))
    whole = element("table", head, element("tbody", *rows), class_="matrix")
    return element("div", whole, class_="scroll", tabindex="0")


def class_table(matrix: Array, classes: Sequence[str], words: Mapping[str, str] = WORDS) -> Html:
    """Return recall, precision, F1 and the most frequent confusion of each class.

    Of a confusion matrix (K, K). The class with the lowest F1 comes first; those that
    neither occur nor are predicted come last.
    """
    import numpy as np

    rows, names, result = [], told_apart(classes, LONGEST), ClassMetrics.of(matrix)
    for k in np.argsort(result.f1, kind="stable"):
        of, said, right = int(matrix[k].sum()), int(matrix[:, k].sum()), int(matrix[k, k])
        others = matrix[k].copy()
        others[k] = 0
        worst = f"{names[others.argmax()]} ({others.max():,})" if others.any() else "-"
        found = f"{100 * right / of:.1f} %" if of else "-"
        share = f"{100 * right / max(of, 1):.0f}%"
        bar = element(
            "span", element("span", style=f"width:{share}"), class_="bar", aria_hidden="true"
        )
        precise = f"{100 * right / said:.1f} %" if said else "-"
        f1 = f"{100 * result.f1[k]:.1f} %" if of or said else "-"
        rows.append((names[k], f"{of:,}", cell(found, bar), precise, f1, worst))
    total, right = int(matrix.sum()), int(matrix.trace())
    overall = f"{100 * right / max(total, 1):.1f} %"
    empty = element("span", class_="bar", style="visibility:hidden", aria_hidden="true")
    header = [
        words[key] for key in ("class", "images", "found", "right_when_said", "f1", "most_often")
    ]
    return table(
        header,
        rows,
        left=(0, 5),
        total=(
            words["all"],
            f"{total:,}",
            cell(overall, empty),
            "",
            "",
            "",
        ),
    )
