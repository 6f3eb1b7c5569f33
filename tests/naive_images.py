"""The oracle for what moves or resizes images, as nested loops; see `naive`."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Two: TypeAlias = tuple[int, int]


def pad(x: Array, sides: tuple[int, int, int, int], mode: str, value: float = 0.0) -> Array:
    """Walk from each cell of the output to the cell of the image that it shows, step by step."""
    top, bottom, left, right = sides
    n_, c_, h, w = x.shape
    y = np.zeros((n_, c_, h + top + bottom, w + left + right))
    for n, c, i, j in np.ndindex(*y.shape):
        row, column = _shown(i - top, h, mode), _shown(j - left, w, mode)
        outside = row is None or column is None
        y[n, c, i, j] = value if outside else float(x[n, c, row, column])
    return y


def _shown(place: int, size: int, mode: str) -> int | None:
    while not 0 <= place < size:
        if mode == "constant":
            return None
        if mode == "edge":
            place += 1 if place < 0 else -1
        elif mode == "wrap":
            place += size if place < 0 else -size
        elif size == 1:
            place = 0
        else:  # mirrored at the first or last cell
            place = -place if place < 0 else 2 * (size - 1) - place
    return place


def adaptive_bins(size: int, output: int) -> list[list[int]]:
    """Return the cells of each bin: those that share some length with a part of the axis."""
    return [
        [k for k in range(size) if k * output < (i + 1) * size and (k + 1) * output > i * size]
        for i in range(output)
    ]


def adaptive_pooling(x: Array, output: Two, kind: str) -> Array:
    """Average each bin, or take its maximum."""
    n_, c_, h, w = x.shape
    y = np.zeros((n_, c_, *output))
    rows, columns = adaptive_bins(h, output[0]), adaptive_bins(w, output[1])
    for n, c, i, j in np.ndindex(*y.shape):
        cells = [float(x[n, c, row, column]) for row in rows[i] for column in columns[j]]
        y[n, c, i, j] = max(cells) if kind == "max" else sum(cells) / len(cells)
    return y


def resize(x: Array, output: Two, scales: tuple[float, float], kernel: str, **how: Any) -> Array:
    """Sum over all cells near each coordinate, one number at a time; ``kernel`` is the mode."""
    n_, c_, h, w = x.shape
    y = np.zeros((n_, c_, *output))
    rows = [_near(i, h, output[0], scales[0], kernel, **how) for i in range(output[0])]
    columns = [_near(j, w, output[1], scales[1], kernel, **how) for j in range(output[1])]
    for n, c, i, j in np.ndindex(*y.shape):
        for row, a in rows[i]:
            for column, b in columns[j]:
                y[n, c, i, j] += a * b * float(x[n, c, row, column])
    return y


def _near(
    i: int,
    size: int,
    output: int,
    scale: float,
    kernel: str,
    coordinates: str = "half_pixel",
    nearest: str = "round_prefer_floor",
    a: float = -0.75,
    exclude_outside: bool = False,
    antialias: bool = False,
) -> list[tuple[int, float]]:
    """Return the cells that cell i of the output sums, each with its weight."""
    place = {
        "half_pixel": (i + 0.5) / scale - 0.5,
        "half_pixel_symmetric": (i + 0.5 - output / 2) / scale + size / 2 - 0.5,
        "pytorch_half_pixel": (i + 0.5) / scale - 0.5 if output > 1 else 0.0,
        "align_corners": i * (size - 1) / (output - 1) if output > 1 else 0.0,
        "asymmetric": i / scale,
        "tf_half_pixel_for_nn": (i + 0.5) / scale if scale != 1 else float(i),
    }[coordinates]
    if kernel == "nearest":
        rounded = {
            "round_prefer_floor": math.ceil(place - 0.5),
            "round_prefer_ceil": math.floor(place + 0.5),
            "floor": math.floor(place),
            "ceil": math.ceil(place),
        }[nearest]
        return [(min(max(rounded, 0), size - 1), 1.0)]
    wide = max(1 / scale, 1.0) if antialias else 1.0
    found = []
    for cell in range(math.floor(place - 3 * wide), math.ceil(place + 3 * wide) + 1):
        t = abs(cell - place) / wide
        if kernel == "linear":
            weight = max(0.0, 1 - t)
        elif t <= 1:
            weight = (a + 2) * t**3 - (a + 3) * t**2 + 1
        else:
            weight = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0
        if 0 <= cell < size or not exclude_outside:
            found.append((min(max(cell, 0), size - 1), weight))
    total = sum(weight for _, weight in found) if exclude_outside or antialias else 1.0
    return [(cell, weight / total) for cell, weight in found]
