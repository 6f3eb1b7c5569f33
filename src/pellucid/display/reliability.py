"""The reliability diagram as SVG, for pages and notebooks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .html import Html, escaped

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["RELIABILITY_WORDS", "reliability_chart"]

WIDTH, LEFT, RIGHT = 480, 62, 14
TOP, PLOT, BETWEEN, STRIP, BOTTOM = 40, 260, 14, 46, 46  # heights, from top to bottom
HEIGHT = TOP + PLOT + BETWEEN + STRIP + BOTTOM
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
RELIABILITY_WORDS = {
    "accuracy_axis": "accuracy",
    "confidence": "confidence",
    "image_shares": "images",
    "gap": "gap",
    "calibrated_line": "calibrated",
}


def reliability_chart(
    edges: Array,
    counts: Array,
    confidences: Array,
    accuracies: Array,
    description: str,
    words: Mapping[str, str] = RELIABILITY_WORDS,
) -> Html:
    """Return bars of accuracy over confidence, the gap to the diagonal, and the images of each bin.

    Parameters
    ----------
    edges, counts, confidences, accuracies : arrays (M + 1,), (M,), (M,), (M,)
        As a `pellucid.training.Calibration` has them.
    description : str
        For readers who cannot see it.
    words : mapping
        With the keys of `RELIABILITY_WORDS`.
    """
    base = TOP + PLOT
    floor = base + BETWEEN + STRIP

    def x(confidence: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * float(confidence)

    def y(accuracy: float) -> float:
        return base - PLOT * float(accuracy)

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escaped(description)}">',
        f'<text x="4" y="16" font-weight="600">{escaped(words["accuracy_axis"])}</text>',
    ]
    for tick in TICKS:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text class="soft" x="{LEFT - 7}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text><text class="soft" x="{x(tick):.1f}" '
            f'y="{floor + 18}" text-anchor="middle">{tick:g}</text>'
        )
    # A network that diverged has no confidence.
    some = [k for k in range(len(counts)) if counts[k] and math.isfinite(confidences[k])]
    total, most = max(int(sum(counts)), 1), max(int(max(counts)), 1)
    for k in some:
        left, wide = x(edges[k]), x(edges[k + 1]) - x(edges[k])
        tall, deep = PLOT * float(accuracies[k]), STRIP * float(counts[k]) / most
        middle = x(confidences[k])
        parts.append(
            f'<rect class="fill" x="{left:.1f}" y="{base - tall:.1f}" width="{wide:.1f}" '
            f'height="{tall:.1f}"/><rect class="count" x="{left + 1:.1f}" '
            f'y="{floor - deep:.1f}" width="{wide - 2:.1f}" height="{deep:.1f}"/>'
            f'<line class="gap" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(accuracies[k]):.1f}" '
            f'y2="{y(confidences[k]):.1f}"/>'
        )
    parts.append(f'<line class="ideal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>')
    parts += [
        f'<circle class="dot-one" cx="{x(confidences[k]):.1f}" cy="{y(accuracies[k]):.1f}" '
        f'r="3.4"/>'
        for k in some
    ]
    parts += [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level}" y2="{level}"/>'
        for level in (base, floor)
    ]
    parts.append(
        f'<text class="soft" x="{LEFT - 7}" y="{floor - 4}" text-anchor="end">'
        f"{escaped(words['image_shares'])}</text>"
        f'<text class="soft" x="{LEFT - 7}" y="{floor - STRIP + 9}" text-anchor="end">'
        f"{100 * most / total:.0f} %</text>"
        f'<text class="soft" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" '
        f'text-anchor="middle">{escaped(words["confidence"])}</text>'
    )
    # The legend, from the right: a piece of each line and its name.
    place = WIDTH - RIGHT
    for key, style in (("calibrated_line", "ideal"), ("gap", "gap")):
        name = words[key]
        wide = 7 * sum(2 if ord(letter) > 0x2E7F else 1 for letter in name)
        parts.append(
            f'<text x="{place}" y="16" text-anchor="end">{escaped(name)}</text>'
            f'<line class="{style}" x1="{place - wide - 34}" x2="{place - wide - 6}" y1="12" '
            f'y2="12"/>'
        )
        place -= wide + 50
    return Html("".join(parts) + "</svg>")
