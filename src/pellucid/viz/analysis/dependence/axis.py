"""Which cells of an input each cell of the output reads, along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd

import numpy as np

from ....shapes import Windows
from ....typing import Array

__all__ = ["Axis"]

Cells = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Axis:
    """The cells that each output cell reads: from first to last, in steps; some may be padding.

    Attributes
    ----------
    cells : sequence of (int, int)
        For each output cell, the first and the last cell that it reads. The last is below the first
        if it reads none.
    size : int
        Cells of the input.
    step : int
        From one cell that is read to the next: the dilation.
    stride : Fraction
        How far the first cell moves from one output cell to the next, on average.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> axis = Axis.sliding(slide((7, 7), 3, stride=2, padding=1), 0)
    >>> axis.cells
    [(-1, 1), (1, 3), (3, 5), (5, 7)]
    >>> axis.back(1, 2), axis.back(-1, 0), axis.readers(3)
    ((1, 5), (-3, 1), [1, 2])
    """

    cells: Cells
    size: int
    step: int = 1
    stride: Fraction = Fraction(1)

    @classmethod
    def same(cls, size: int) -> Axis:
        """Return the axis of a layer that reads the cell of its output."""
        return cls([(k, k) for k in range(size)], size)

    @classmethod
    def every(cls, size: int, out: int) -> Axis:
        """Return the axis of a layer whose ``out`` cells read all ``size``."""
        return cls([(0, size - 1)] * out, size, stride=Fraction(0))

    @classmethod
    def grouped(cls, size: int, out: int, groups: int) -> Axis:
        """Return the axis of a layer that reads the cells of its own group."""
        deep, wide = size // groups, out // groups
        cells = [(k // wide * deep, (k // wide + 1) * deep - 1) for k in range(out)]
        return cls(cells, size, stride=Fraction(0))

    @classmethod
    def shifted(cls, size: int, out: int, offset: int) -> Axis:
        """Return the axis on which the input's first cell is the output's ``offset``-th."""
        return cls([(k - offset, k - offset) for k in range(out)], size)

    @classmethod
    def sliding(cls, windows: Windows, a: int) -> Axis:
        """Return rows (0) or columns (1) of a window that moves over the input."""
        stride, before = windows.stride[a], windows.padding[a][0]
        firsts = [stride * k - before for k in range(windows.output[a])]
        wide = windows.extent[a] - 1
        cells = [(first, first + wide) for first in firsts]
        return cls(cells, windows.input[a], windows.dilation[a], Fraction(stride))

    @classmethod
    def transposed(cls, windows: Windows, a: int) -> Axis:
        """Return rows or columns of the transpose of a convolution with ``windows``."""
        stride, dilation, size = windows.stride[a], windows.dilation[a], windows.output[a]
        cells = []
        for k in range(windows.input[a]):
            at = k + windows.padding[a][0]
            near = range(max(0, (at - windows.extent[a]) // stride), min(at // stride + 1, size))
            ahead = [(j, at - stride * j) for j in near]
            read = [j for j, u in ahead if 0 <= u < windows.extent[a] and not u % dilation]
            cells.append((read[0], read[-1]) if read else (0, -1))
        return cls(cells, size, dilation // gcd(dilation, stride), Fraction(1, stride))

    @property
    def is_same(self) -> bool:
        """Whether each output cell reads the same cell of the input."""
        return len(self.cells) == self.size and all(
            a == b == k for k, (a, b) in enumerate(self.cells)
        )

    @property
    def reads_all(self) -> bool:
        """Whether each output cell reads the whole input."""
        whole = (0, self.size - 1)
        return self.step == 1 and all(both == whole for both in self.cells)

    def matrix(self) -> Array:
        """Return which cells of the input (columns) each output cell (rows) reads, bool."""
        cell = np.arange(self.size)
        first, last = np.array(self.cells).reshape(-1, 2).T[:, :, None]
        read: Array = (cell >= first) & (cell <= last) & ((cell - first) % self.step == 0)
        return read

    def reads_any(self) -> Array:
        """Return which output cells read a cell of the input, not only padding, bool."""
        first, last = np.array(self.cells).reshape(-1, 2).T
        inside = first + np.maximum(0, -(first // self.step)) * self.step
        found: Array = inside <= np.minimum(last, self.size - 1)
        return found

    def readers(self, cell: int) -> list[int]:
        """Return the output cells that read one of the input."""
        return [
            k
            for k, (a, b) in enumerate(self.cells)
            if a <= cell <= b and not (cell - a) % self.step
        ]

    def back(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the first and last cell that the output cells from ``first`` to ``last`` read.

        These may lie in the padding of the next layer, below 0 or beyond the end: the windows move
        on, evenly. None if they read nothing.
        """
        within = [both for both in self.cells[max(first, 0) : last + 1] if both[0] <= both[1]]
        within += [self._beyond(k) for k in (first, last) if not 0 <= k < len(self.cells)]
        if not within:
            return None
        return min(a for a, _ in within), max(b for _, b in within)

    def _beyond(self, k: int) -> tuple[int, int]:
        near = min(max(k, 0), len(self.cells) - 1)
        moved = (k - near) * self.stride
        return floor(self.cells[near][0] + moved), ceil(self.cells[near][1] + moved)
