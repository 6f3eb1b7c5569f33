"""The receptive field: the input cells that one cell of a layer's output depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TypeAlias

from .shapes import Windows, shape_text

__all__ = ["Cells", "ReceptiveField"]

Cells: TypeAlias = int | Fraction
Steps: TypeAlias = tuple[Cells, Cells]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The input cells that one output cell of a layer depends on.

    All in input cells: integers, but after a transposed convolution fractions.

    Attributes
    ----------
    size : (int, int)
        Rows and columns it sees (Araujo et al. 2019, "Computing receptive fields of convolutional
        neural networks", eq. 2).
    stride : (int, int)
        How far the field moves when the output cell moves by one.
    start : (int, int)
        Where the field of the first output cell begins; negative inside the padding.
    everything : bool
        Whether every cell sees the whole input, as after a fully connected layer.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> field = ReceptiveField()
    >>> for _ in range(3):
    ...     field = field.through(slide((9, 9), 3))
    >>> field.size                                   # three 3x3 see as much as one 7x7
    (7, 7)
    """

    size: tuple[Cells, Cells] = (1, 1)
    stride: tuple[Cells, Cells] = (1, 1)
    start: tuple[Cells, Cells] = (0, 0)
    everything: bool = False

    def through(self, windows: Windows) -> ReceptiveField:
        """Return the field after one more layer that slides ``windows``."""
        return ReceptiveField(
            size=_both(self.size[a] + (windows.extent[a] - 1) * self.stride[a] for a in (0, 1)),
            stride=_both(self.stride[a] * windows.stride[a] for a in (0, 1)),
            start=_both(self.start[a] - windows.padding[a][0] * self.stride[a] for a in (0, 1)),
            everything=self.everything,
        )

    def through_transposed(self, windows: Windows) -> ReceptiveField:
        """Return the field after the transpose of a convolution with ``windows``.

        Its output cell i sees the input cells j with S·j between ``i + P - (E-1)`` and ``i + P``:
        an interval of width E - 1 that moves by one, divided by S.

        Examples
        --------
        >>> from pellucid.shapes import slide_transposed
        >>> field = ReceptiveField().through_transposed(slide_transposed((5, 5), 3, stride=2))
        >>> str(field), str(field.stride[0]), str(field.centre(0))
        ('2x2', '1/2', '-1/2')
        """
        steps = [Fraction(self.stride[a]) / windows.stride[a] for a in (0, 1)]
        wide = [windows.extent[a] - 1 for a in (0, 1)]
        return ReceptiveField(
            size=_both(self.size[a] + wide[a] * steps[a] for a in (0, 1)),
            stride=_both(steps),
            start=_both(
                self.start[a] + (windows.padding[a][0] - wide[a]) * steps[a] for a in (0, 1)
            ),
            everything=self.everything,
        )

    def through_cells(
        self, reads: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]], step: Steps
    ) -> ReceptiveField:
        """Return the field after a layer whose output cells read the cells that ``reads`` lists.

        ``reads`` has the first and the last cell that each row reads, and that each column reads;
        ``step`` is how far they move from one cell to the next on average. Where they do not move
        evenly, as in resizing, the field is wide enough for all.

        Examples
        --------
        >>> twice = [(0, 0), (0, 0), (1, 1), (1, 1)]
        >>> field = ReceptiveField().through_cells((twice, twice), (Fraction(1, 2),) * 2)
        >>> str(field), str(field.stride[0]), str(field.start[0])
        ('1x1', '1/2', '-1/2')
        """
        befores, widths = [], []
        for cells, s in zip(reads, step, strict=True):
            first = min((a - s * i for i, (a, _) in enumerate(cells)), default=0)
            last = max((b - s * i for i, (_, b) in enumerate(cells)), default=0)
            befores.append(first)
            widths.append(last - first)
        return ReceptiveField(
            size=_both(self.size[a] + widths[a] * self.stride[a] for a in (0, 1)),
            stride=_both(self.stride[a] * Fraction(step[a]) for a in (0, 1)),
            start=_both(self.start[a] + befores[a] * self.stride[a] for a in (0, 1)),
            everything=self.everything,
        )

    def centre(self, axis: int) -> Cells:
        """Return the middle of the first output cell's field along ``axis``, in input cells."""
        return _whole(self.start[axis] + Fraction(self.size[axis] - 1) / 2)

    def joined(self, other: ReceptiveField) -> ReceptiveField:
        """Return the union of both fields, as for a sum or concatenation.

        Examples
        --------
        >>> from pellucid.shapes import slide
        >>> small, large = ReceptiveField(), ReceptiveField().through(slide((9, 9), 3, padding=1))
        >>> small.joined(large).size, small.joined(large).start
        ((3, 3), (-1, -1))
        """
        start = _both(min(self.start[a], other.start[a]) for a in (0, 1))
        ends = _both(max(f.start[a] + f.size[a] for f in (self, other)) for a in (0, 1))
        return ReceptiveField(
            size=_both(ends[a] - start[a] for a in (0, 1)),
            stride=_both(max(self.stride[a], other.stride[a]) for a in (0, 1)),
            start=start,
            everything=self.everything or other.everything,
        )

    def __str__(self) -> str:
        return "all" if self.everything else shape_text(floor(cells) for cells in self.size)


def _both(values: Iterable[Cells]) -> tuple[Cells, Cells]:
    first, second = map(_whole, values)
    return first, second


def _whole(value: Cells) -> Cells:
    return int(value) if value == int(value) else value
