"""How a convolution with few channels a group reads an image, and the rectangles it is cut into.

Tiles are two rows of some pixels. A rectangle of tiles reads the image in place if all that they
read lies within it, or within a frame of columns that the kernel takes for zeros. Others read a
copy with zeros around it: those along the border, or all of them if the image is not much wider
than a window.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES

__all__ = ["TOGETHER", "Cut", "Reading", "cut", "reading"]

TOGETHER = 4  # vectors of channels that are copied together: 256 bytes of each pixel
PIXELS = (
    512  # of a copied rectangle: 32 KB of a vector with AVX-512, four of which stay near a core
)
NEAR = (
    2**15
)  # bytes of what a tile reads in place, with its filters, which stay in the nearest cache
BANDS = 4  # rectangles, one below another, in which most of an image is read in place


class Reading(NamedTuple):
    """How the result's pixels read an image.

    Attributes
    ----------
    taps : int64 array (3 · taps,)
        The row and column of each tap, or of the first one of a row of taps, and its place in the
        filter, in turns.
    phases : int64 array (phases, 6)
        The first row and column of each phase in the result; its first tap that the first row of a
        tile reads, the first that both rows read, the first that only the second reads, and the end
        of these.
    h, w, c : int
        The image.
    top, left : int
        How far the first tile reaches beyond the image.
    rows, columns : int
        What two pixels, one below the other, read of it.
    step_h, step_w : int
        From one pixel of a phase to the next, in the image.
    oh, ow, f : int
        The result.
    apart_h, apart_w : int
        From one pixel of a phase to the next, in the result.
    between : int
        From the tap of the first row to that of the second, in the filter.
    """

    taps: Array
    phases: Array
    h: int
    w: int
    c: int
    top: int
    left: int
    rows: int
    columns: int
    step_h: int
    step_w: int
    oh: int
    ow: int
    f: int
    apart_h: int
    apart_w: int
    between: int


class Cut(NamedTuple):
    """The rectangles of an image, and how many parts its channels have: each is a task.

    Attributes
    ----------
    rectangles : int64 array (rectangles, 5)
        First row, end, first column, end, in pixels of a phase; how many vectors of channels are
        read in place together, or 0 if they are copied.
    parts : int
        Of the channels.
    strip, result : int
        Numbers of the largest copy of a vector: of what is read, and of a gradient read with it.
    """

    rectangles: Array
    parts: int
    strip: int
    result: int


def reading(
    windows: Windows, depths: tuple[int, int], given: int, *, back: bool = False, runs: bool = False
) -> Reading:
    """Return how outputs read an image, or (``back``) how its cells read the output's gradient.

    ``depths`` are the channels that are read and written, ``given`` of which a group reads. With
    ``runs``, a row of the window is one entry of the taps. Going back, the filters are packed back
    to front.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> s = reading(slide((5, 14), 3, stride=2, padding=1), (1, 1), 1)
    >>> (s.top, s.left, s.rows, s.columns, len(s.phases))
    (1, 1, 5, 3, 1)
    >>> (np.diff(s.phases[0, 2:]) // 3).tolist()  # taps of the first row, of both, of the second
    [6, 3, 6]
    >>> len(reading(slide((5, 14), 3, stride=2, padding=1), (1, 1), 1, back=True).phases)
    4
    """
    kinds = [_axis(windows, axis, back) for axis in (0, 1)]
    (h, w), (oh, ow) = (windows.input, windows.output)[:: -1 if back else 1]
    steps, apart = ((1, 1), windows.stride) if back else (windows.stride, (1, 1))
    (low_h, high_h), (low_w, high_w) = (
        (min([0, *places]), max([0, *places]))
        for places in ([at for taps in kind for _, at in taps] for kind in kinds)
    )
    (_, fw), size, between = windows.window, given * LANES, 0
    taps: list[tuple[int, int, int]] = []
    phases = []
    for (a, down), (b, across) in itertools.product(*(enumerate(kind) for kind in kinds)):
        upper, lower = ({i + shift - low_h: u for u, i in down} for shift in (0, steps[0]))
        ends = []
        for seen, rows in (
            (upper, upper.keys() - lower.keys()),
            (upper, upper.keys() & lower.keys()),
            (lower, lower.keys() - upper.keys()),
        ):
            ends.append(3 * len(taps))
            for i, (v, j) in itertools.product(sorted(rows), across[:1] if runs else across):
                taps.append((i, j - low_w, (seen[i] * fw + v) * size))
        for i in upper.keys() & lower.keys():
            between = (lower[i] - upper[i]) * fw * size
        phases.append((a, b, *ends, 3 * len(taps)))
    return Reading(
        np.array(taps, dtype=np.int64).ravel(), np.array(phases, dtype=np.int64), h, w, depths[0],
        -low_h, -low_w, high_h - low_h + 1 + steps[0], high_w - low_w + 1, *steps, oh, ow,
        depths[1], *apart, between,
    )  # fmt: skip


def _axis(windows: Windows, axis: int, back: bool) -> list[list[tuple[int, int]]]:
    """Return each phase's taps along an axis: their numbers, and their places for pixel 0."""
    count, dilation = windows.window[axis], windows.dilation[axis]
    stride, padding = windows.stride[axis], windows.padding[axis][0]
    if not back:
        return [[(u, dilation * u - padding) for u in range(count)]]
    places = [
        [(u, a + padding - dilation * (count - 1 - u)) for u in range(count)] for a in range(stride)
    ]
    return [[(u, at // stride) for u, at in phase if at % stride == 0] for phase in places]


def cut(s: Reading, width: int, *, gated: bool, beyond: bool, vectors: int, frame: int = 0) -> Cut:
    """Return the rectangles of tiles of two rows of ``width`` pixels.

    A ``gated`` source is copied, and masked on the way. The last vector of a pixel may reach
    ``beyond`` it: then the last pixel of a row is not read in place. If neither is so, and windows
    reach at most ``frame`` columns beyond the image, all of it is read in place.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> s = reading(slide((8, 28), 3, padding=1), (32, 32), 1)
    >>> cut(s, 7, gated=False, beyond=False, vectors=2).rectangles.tolist()
    [[0, 2, 0, 28, 0], [2, 6, 0, 7, 0], [2, 6, 21, 28, 0], [2, 4, 7, 21, 2], [4, 6, 7, 21, 2], [6, 8, 0, 28, 0]]
    """  # noqa: E501 - an example
    rows, wide, narrowest = -(-s.oh // s.apart_h), -(-s.ow // s.apart_w), s.ow // s.apart_w
    beside = (wide - 1) * s.step_w - s.left + s.columns - s.w
    if frame and max(s.left, beside) <= frame and not gated and not beyond:
        return _sized(s, _bands(0, rows, 0, wide, vectors), width)
    top = -(-s.top // (2 * s.step_h)) * 2
    bottom = max(top, min(s.oh // s.apart_h, (s.h - s.rows + s.top) // s.step_h + 2) // 2 * 2)
    left = -(-s.left // (s.step_w * width)) * width
    right = ((s.w - beyond - s.columns + s.left) // s.step_w + 1) // width * width
    while right < wide and narrowest - right < width:  # the last tile overlaps the one before
        right -= width
    if gated or 2 * (right - left) < wide or bottom == top:
        return _sized(s, _copied(s, 0, rows, 0, wide), width)
    tile = s.rows * ((width - 1) * s.step_w + s.columns) + s.rows * s.columns
    together = min(vectors, max(TOGETHER, NEAR // (4 * LANES * tile)))
    return _sized(
        s,
        [
            *_copied(s, 0, top, 0, wide),
            *_copied(s, top, bottom, 0, left),
            *_copied(s, top, bottom, right, wide),
            *_bands(top, bottom, left, right, together),
            *_copied(s, bottom, rows, 0, wide),
        ],
        width,
    )


def _bands(first: int, end: int, left: int, right: int, together: int) -> list[tuple[int, ...]]:
    """Return rectangles of pairs of rows that are read in place."""
    per = max(2, -(-(end - first) // (2 * BANDS)) * 2)
    return [(i, min(i + per, end), left, right, together) for i in range(first, end, per)]


def _copied(s: Reading, first: int, end: int, left: int, right: int) -> list[tuple[int, ...]]:
    """Return rectangles of pairs of rows, each small enough to be copied."""
    if first >= end or left >= right:
        return []
    pitch = (right - left - 1) * s.step_w + s.columns
    per = max(1, (PIXELS // pitch - s.rows) // (2 * s.step_h) + 1)
    pairs = -(-(end - first) // 2)
    per = 2 * -(-pairs // -(-pairs // per))  # rectangles of nearly the same size
    return [(i, min(i + per, end), left, right, 0) for i in range(first, end, per)]


def _sized(s: Reading, rectangles: list[tuple[int, ...]], width: int) -> Cut:
    """Return the rectangles with the sizes of the largest copies."""
    strip = result = 1
    for first, end, left, right, together in rectangles:
        if not together:
            rows, columns = -(-(end - first) // 2) * 2, -(-(right - left) // width) * width
            read = ((rows - 2) * s.step_h + s.rows) * ((columns - 1) * s.step_w + s.columns)
            strip, result = max(strip, read * LANES), max(result, rows * columns * LANES)
    return Cut(np.array(rectangles, dtype=np.int64).reshape(-1, 5), 1, strip, result)
