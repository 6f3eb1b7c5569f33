"""What stands in a figure: its texts in the order they were drawn, and whether all are legible."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def value(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def numbers_after(figure, heading: str, count: int, every: int = 1) -> list[str]:
    """Return the ``count`` texts drawn after the one that begins with ``heading``."""
    drawn = texts(figure)
    (first,) = [k for k, text in enumerate(drawn) if text.startswith(heading)]
    return drawn[first + 1 : first + 1 + every * count : every]


def values_after(figure, heading: str, shape: tuple[int, ...], every: int = 1) -> np.ndarray:
    found = numbers_after(figure, heading, int(np.prod(shape)), every)
    return np.array([value(text) for text in found]).reshape(shape)


def require_legible(figure, least: float = 4.5) -> None:
    """All texts lie inside the figure, none on another, none too small to read in print."""
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    shown = [t for axes in figure.axes for t in axes.texts if t.get_text().strip()]
    boxes = np.array([t.get_window_extent(renderer).extents for t in shown])
    left, bottom, right, top = boxes.T
    width, height = figure.canvas.get_width_height()
    assert min(left) >= 0
    assert min(bottom) >= 0
    assert max(right) <= width
    assert max(top) <= height
    assert min(t.get_fontsize() for t in shown) >= least
    # A line of letters is higher than the letters that stand in it.
    spare = 0.22 * (top - bottom)
    low, high = bottom + spare, top - spare
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left) > 0.5
    down = np.minimum(high[:, None], high) - np.maximum(low[:, None], low) > 0.5
    pairs = np.argwhere(np.triu(across & down, 1))
    assert not len(pairs), [(shown[a].get_text(), shown[b].get_text()) for a, b in pairs[:5]]
