"""The receptive field: what one cell of a layer's output sees of the network's input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .shapes import Windows

__all__ = ["ReceptiveField"]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one cell of a layer's output sees of the network's input, in input cells.

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
        Whether every cell sees the whole input, as behind a fully connected layer.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> field = ReceptiveField()
    >>> for _ in range(3):
    ...     field = field.through(slide((9, 9), 3))
    >>> field.size                                   # three 3x3 see as much as one 7x7
    (7, 7)
    """

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    start: tuple[int, int] = (0, 0)
    everything: bool = False

    def through(self, windows: Windows) -> ReceptiveField:
        """Return the field after one more layer that slides ``windows``."""
        return ReceptiveField(
            size=_both(self.size[a] + (windows.extent[a] - 1) * self.stride[a] for a in (0, 1)),
            stride=_both(self.stride[a] * windows.stride[a] for a in (0, 1)),
            start=_both(self.start[a] - windows.padding[a][0] * self.stride[a] for a in (0, 1)),
            everything=self.everything,
        )

    def joined(self, other: ReceptiveField) -> ReceptiveField:
        """Return the field that covers both: what is added or joined sees what either sees.

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
        return "all" if self.everything else "x".join(str(cells) for cells in self.size)


def _both(values: Iterable[int]) -> tuple[int, int]:
    first, second = values
    return first, second
