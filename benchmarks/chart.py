"""The ratios as bars, each with its target."""

from __future__ import annotations

import statistics
from pathlib import Path

from cases import CASES
from processes import Result
from results_page import ratios

__all__ = ["draw"]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")


def draw(rows: list[Result], path: Path) -> None:
    """Draw the rows of the steps' table that have a peer."""
    # Imported late: a child's peak memory includes the memory of this process when it starts.
    from matplotlib.figure import Figure

    keys = list(dict.fromkeys(row["case"] for row in rows))
    counts = sorted({row["threads"] for row in rows})
    height = 0.8 / len(counts)
    figure = Figure(figsize=(8, 1.2 + 0.5 * len(keys)), layout="constrained", dpi=150)
    axes = figure.subplots()
    for place, threads in enumerate(counts):
        own = [row for row in rows if row["threads"] == threads]
        values = [statistics.median(ratios(row)) for row in own]
        below = [value - min(ratios(row)) for value, row in zip(values, own, strict=True)]
        above = [max(ratios(row)) - value for value, row in zip(values, own, strict=True)]
        bars = axes.barh(
            [keys.index(row["case"]) - 0.4 + (place + 0.5) * height for row in own],
            values,
            height,
            xerr=(below, above),
            error_kw={"elinewidth": 0.8},
            color=COLOURS[place % len(COLOURS)],
            label=f"{threads} thread{'s' * (threads > 1)}",
        )
        axes.bar_label(bars, fmt="%.1f", padding=4, fontsize=8)
    targets = [CASES[key].target for key in keys]
    axes.vlines(
        targets,
        [place - 0.45 for place in range(len(keys))],
        [place + 0.45 for place in range(len(keys))],
        color="black",
        linestyle="dotted",
        label="target",
    )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(keys)), keys)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as PyTorch eager's better memory format")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path)
