"""Line charts as SVG, for pages and notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .html import escaped

__all__ = ["STYLES", "Line", "chart", "many_styles", "swatch"]

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 40, 46  # margins
STYLES = ("one", "two")  # a solid line with dots, and a dashed one with rings
MANY = 24  # styles that can be told apart: six colours, four kinds of dashes (parts.css)
MOST_DOTS = 40


@dataclass(frozen=True)
class Line:
    """One curve: its name, and a value for each epoch from 1 on; None where it is unknown.

    ``spread`` is drawn as a band above and below it.
    """

    name: str
    values: Sequence[float | None]
    spread: Sequence[float] | None = None

    @property
    def ends(self) -> list[float]:
        """All that is drawn of it."""
        known = [(v, k) for k, v in enumerate(self.values) if v is not None and math.isfinite(v)]
        spread = self.spread or [0.0] * len(self.values)
        return [v + sign * spread[k] for v, k in known for sign in (-1, 1)]


def many_styles(count: int) -> list[str]:
    """Return styles for ``count`` curves, at most `MANY`, of which no two look alike."""
    return [f"line c{k % 6} d{(k + k // 12) % 4}" for k in range(count)]


def swatch(style: str) -> str:
    """Return an SVG element with a piece of a line, for a legend outside of the chart."""
    return (
        '<svg class="chart swatch" viewBox="0 0 36 10" aria-hidden="true">'
        f'<path class="{style}" d="M1 5 h34"/></svg>'
    )


def chart(
    lines: Sequence[Line],
    title: str,
    x_title: str,
    description: str,
    *,
    log: bool,
    styles: Sequence[str] = STYLES,
) -> str:
    """Return an SVG element with one or two curves over the epochs, or with as many as ``styles``.

    Its colours are those of the page, light or dark. With ``log`` the vertical axis is logarithmic
    if all values are above 0. With other ``styles`` it has no legend.
    """
    known = [v for line in lines for v in line.ends]
    epochs = max(len(line.values) for line in lines)
    log = log and bool(known) and min(known) > 0
    ticks = _log_ticks(known) if log else _ticks(known)
    scale = math.log10 if log else float
    low, high = scale(ticks[0]), scale(ticks[-1])

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / epochs

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(value) - low) / (high - low)

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escaped(description)}">',
        f'<text x="4" y="16" font-weight="600">{escaped(title)}</text>',
    ]
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text class="soft" x="{LEFT - 7}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text>'
        )
    step = max(1, _round_up(epochs / 8))
    for epoch in range(0, epochs + 1, step):
        parts.append(
            f'<text class="soft" x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{epoch}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    parts.append(
        f'<text class="soft" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" '
        f'text-anchor="middle">{escaped(x_title)}</text>'
    )
    place = WIDTH - RIGHT
    for line, style in reversed(list(zip(lines, styles, strict=False))):
        parts.append(_band(line, style, x, y))
        points = [
            (x(k), y(v)) for k, v in enumerate(line.values, 1) if v is not None and math.isfinite(v)
        ]
        path = " ".join(
            f"{'L' if k else 'M'}{px:.1f} {py:.1f}" for k, (px, py) in enumerate(points)
        )
        parts.append(f'<path class="{style}" d="{path}"/>' if path else "")
        if styles is not STYLES:
            continue
        if len(points) <= MOST_DOTS:
            parts += [
                f'<circle class="dot-{style}" cx="{px:.1f}" cy="{py:.1f}" r="3.4"/>'
                for px, py in points
            ]
        # The legend, from the right: a piece of the line and its name.
        wide = 7 * sum(2 if ord(letter) > 0x2E7F else 1 for letter in line.name)
        parts.append(
            f'<text x="{place}" y="16" text-anchor="end">{escaped(line.name)}</text>'
            f'<path class="{style}" d="M{place - wide - 34} 12 h28"/>'
            f'<circle class="dot-{style}" cx="{place - wide - 20}" cy="12" r="3.4"/>'
        )
        place -= wide + 50
    return "".join(parts) + "</svg>"


def _band(line: Line, style: str, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """Return the area between a curve's values, less and more its spread."""
    if line.spread is None:
        return ""
    known = [(k, v, s) for k, (v, s) in enumerate(zip(line.values, line.spread, strict=True), 1)]
    above = [f"{x(k):.1f} {y(v + s):.1f}" for k, v, s in known if v is not None]
    below = [f"{x(k):.1f} {y(v - s):.1f}" for k, v, s in reversed(known) if v is not None]
    return f'<path class="band {style}" d="M{" L".join(above + below)} Z"/>' if above else ""


def _round_up(number: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, ..."""
    power = 10 ** math.floor(math.log10(max(number, 1)))
    return next(int(k * power) for k in (1, 2, 5, 10) if k * power >= number - 1e-9)


def _ticks(values: Sequence[float]) -> list[float]:
    """Return evenly spaced round numbers that enclose all values."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high <= low:  # a share lies between 0 and 1
        low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - 0.5 * abs(low), low + 0.5 * abs(low))
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _log_ticks(values: Sequence[float]) -> list[float]:
    """Return 1, 2 and 5 times every power of ten around all values; if too many, powers only."""
    low, high = min(values), max(values)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1,)):
        ticks = [k * 10.0**power for power in powers for k in steps]
        below = [t for t in ticks if t <= low * 1.0001] or ticks[:1]
        above = [t for t in ticks if t >= high * 0.9999] or ticks[-1:]
        chosen = [t for t in ticks if below[-1] <= t <= above[0]]
        if len(chosen) <= 8:
            break
    if len(chosen) < 2:
        chosen = [chosen[0], chosen[0] * 10]
    return [float(f"{t:.12g}") for t in chosen]
