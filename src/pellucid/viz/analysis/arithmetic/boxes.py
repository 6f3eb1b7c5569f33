"""The numbers of an input that one number of the output reads: a range along each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....shapes import Windows
from ....typing import Array, Shape

__all__ = ["Box", "Span", "window_box"]


@dataclass(frozen=True, slots=True)
class Span:
    """The cells ``first, first + step, ...`` along an axis, ``count`` of them.

    They may begin below 0 and end beyond the axis: those cells are padding.
    """

    first: int
    step: int = 1
    count: int = 1

    def cells(self) -> Array:
        """Return the numbers of the cells."""
        return self.first + self.step * np.arange(self.count)

    def inside(self, size: int) -> Array:
        """Return which of the cells an axis of ``size`` has."""
        cells = self.cells()
        return (cells >= 0) & (cells < size)


@dataclass(frozen=True, slots=True)
class Box:
    """A span along each axis of a value without N.

    Examples
    --------
    >>> box = Box((Span(0), Span(-1, 1, 3), Span(0, 2, 2)))
    >>> image = np.arange(1.0, 10.0).reshape(1, 3, 3)
    >>> box.numbers(image).tolist()
    [[[0.0, 0.0], [1.0, 3.0], [4.0, 6.0]]]
    >>> box.padded(image.shape).tolist()
    [[True, True], [False, False], [False, False]]
    """

    spans: tuple[Span, ...]

    @classmethod
    def at(cls, unit: Sequence[int]) -> Box:
        """Return the box of one number."""
        return cls(tuple(Span(int(k)) for k in unit))

    @classmethod
    def whole(cls, shape: Shape) -> Box:
        """Return the box of everything."""
        return cls(tuple(Span(0, 1, int(size)) for size in shape))

    def across(self, axes: Sequence[int], shape: Shape) -> Box:
        """Return the box widened to the whole of ``axes``."""
        whole = Box.whole(shape).spans
        return Box(tuple(whole[k] if k in axes else span for k, span in enumerate(self.spans)))

    @property
    def shape(self) -> Shape:
        """The lengths of the spans."""
        return tuple(span.count for span in self.spans)

    @property
    def size(self) -> int:
        """The count of numbers in the box."""
        return math.prod(self.shape)

    def numbers(self, x: Array, padding: float = 0.0) -> Array:
        """Return the numbers of ``x`` in the box, float32, with ``padding`` outside of ``x``."""
        places = [span.cells() for span in self.spans]
        outside = self._outside(x.shape)
        if outside is None:
            return np.ascontiguousarray(x[np.ix_(*places)], dtype=np.float32)
        near = [p.clip(0, size - 1) for p, size in zip(places, x.shape, strict=True)]
        return np.where(outside, np.float32(padding), x[np.ix_(*near)]).astype(np.float32)

    def padded(self, shape: Shape) -> Array | None:
        """Return which rows and columns are padding, boolean (FH, FW); None if none are."""
        outside = self._outside(shape)
        if outside is None:
            return None
        return np.asarray(outside.any(axis=tuple(range(outside.ndim - 2))))

    def _outside(self, shape: Shape) -> Array | None:
        outside = np.zeros(self.shape, dtype=np.bool_)
        for k, (span, size) in enumerate(zip(self.spans, shape, strict=True)):
            across = [1] * len(shape)
            across[k] = span.count
            outside |= ~span.inside(size).reshape(across)
        return outside if outside.any() else None

    def as_dict(self) -> dict[str, Any]:
        """Return the box of an image as channels, rows and columns; of another value as indices."""
        steps = [[span.first, span.step, span.count] for span in self.spans]
        if len(steps) != 3:
            return {"channels": None, "rows": None, "columns": None, "indices": steps}
        (first, _, count), rows, columns = steps
        channels = [first, first + count]
        return {"channels": channels, "rows": rows, "columns": columns, "indices": None}


def window_box(windows: Windows, channels: Span, cell: Sequence[int]) -> Box:
    """Return what the window at an output cell (i, j) reads of some channels of an image.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> window_box(slide((5, 5), 3, stride=2, padding=1), Span(0), (0, 1)).as_dict()
    {'channels': [0, 1], 'rows': [-1, 1, 3], 'columns': [1, 1, 3], 'indices': None}
    """
    rows, columns = (
        Span(
            windows.stride[a] * int(cell[a]) - windows.padding[a][0],
            windows.dilation[a],
            windows.window[a],
        )
        for a in (0, 1)
    )
    return Box((channels, rows, columns))
