"""The pictures of a sweep's page: dots over a setting or over the trials, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..display.html import Html, escaped

__all__ = ["Dot", "scatter"]

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 46  # margins


class Dot(NamedTuple):
    """A trial: where it stands, its accuracy, whether it was ended early, and what it is called."""

    x: float
    y: float
    early: bool
    name: str


def scatter(
    dots: Sequence[Dot],
    title: str,
    *,
    names: Sequence[str] = (),
    log: bool = False,
    best: bool = False,
) -> Html:
    """Return an SVG element with a dot for each trial over ``x``, the worst on the axis.

    Parameters
    ----------
    dots : sequence of Dot
    title : str
    names : sequence of str
        Names of the places 0, 1, ... where ``x`` is one of several choices.
    log : bool
        Whether the horizontal axis is logarithmic.
    best : bool
        Whether a line shows the best so far of the trials that were not ended early.
    """
    low, high = _bounds([dot.y for dot in dots])
    scale = math.log10 if log else float
    left, right = (-0.5, len(names) - 0.5) if names else _spread([scale(d.x) for d in dots])

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - left) / (right - left)

    def up(value: float) -> float:
        value = max(value, low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    said = escaped(f"{title}: {len(dots)} trials")
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">',
        f'<text x="4" y="16" font-weight="600">{escaped(title)}</text>',
    ]
    for tick in _ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(tick):.1f}" '
            f'y2="{up(tick):.1f}"/><text class="soft" x="{LEFT - 7}" y="{up(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    places = list(enumerate(names)) if names else _places(left, right, log=log)
    for place, name in places:
        parts.append(
            f'<text class="soft" x="{across(place):.1f}" y="{base + 18}" text-anchor="middle">'
            f"{escaped(name)}</text>"
        )
    if best:
        parts.append(_best_line([(across(d.x), d) for d in dots if not d.early], up))
    for dot in dots:
        style = "dot-two" if dot.early else "dot-one"
        parts.append(
            f'<circle class="{style}" cx="{across(scale(dot.x)):.1f}" cy="{up(dot.y):.1f}" r="4">'
            f"<title>{escaped(dot.name)}</title></circle>"
        )
    return Html("".join(parts) + "</svg>")


def _best_line(dots: Sequence[tuple[float, Dot]], up: object) -> str:
    highest, path = -math.inf, ""
    for x, dot in dots:
        before, highest = highest, max(highest, dot.y)
        y = up(highest)  # type: ignore[operator]
        if not path:
            path = f"M{x:.1f} {y:.1f}"
        else:
            path += f" H{x:.1f}" + (f" V{y:.1f}" if highest > before else "")
    return f'<path class="one" d="{path}"/>' if path else ""


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return round bounds for the better two thirds; the others are drawn on the axis."""
    ordered = sorted(values) or [0.0, 1.0]
    low, high = ordered[len(ordered) // 3], ordered[-1]
    step = _step(max(high - low, 0.01))
    bottom = math.floor(low / step + 1e-9)
    top = max(math.ceil(high / step - 1e-9), bottom + 1)
    if top * step > 1 + 1e-9:  # accuracies end at 1
        top, bottom = top - 1, min(bottom, top - 2)
    return bottom * step, top * step


def _spread(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _step(width: float) -> float:
    raw = width / 4
    power = 10.0 ** math.floor(math.log10(raw))
    return next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= raw * 0.999)


def _ticks(low: float, high: float) -> list[float]:
    step = _step(high - low)
    return [
        round(k * step, 12)
        for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def _places(left: float, right: float, *, log: bool) -> list[tuple[float, str]]:
    """Return where the numbers of the horizontal axis stand, and how they are written."""
    if not log:
        return [(tick, f"{tick:g}") for tick in _ticks(left, right)]
    powers = range(math.floor(left), math.ceil(right) + 1)
    steps = (1,) if right - left > 2.5 else (1, 2, 5)
    marks = [k * 10.0**power for power in powers for k in steps]
    return [(math.log10(m), f"{m:g}") for m in marks if left <= math.log10(m) <= right]
