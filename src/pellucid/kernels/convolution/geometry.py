"""How a window slides over a channels-last image, and how an image is laid out for it.

In a channels-last image (H, W, C) the cells of a window that lie in one row of it follow each other
in memory: with stride S, window (i, j) is FH *runs* of FW·C numbers each, and

    z[i,j,f] = b[f] + Σ_r Σ_k w[r,k,f] · x[at[r] + (i·S·W + j·S)·C + k]

No im2col matrix is needed: its rows are there already. (With dilation, or with groups, the runs
are the FH·FW single cells of C/groups numbers.) Where the image needs padding it is copied into a
*room* that has a frame of zeros; so is a gradient that must be spread out, sent through a max
pooling to the cells that won, or stopped where a ReLU had stopped the image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...shapes import Windows, slide
from ...typing import Array
from ..jit import LANES, kernel
from ..simd import (
    load_bytes,
    load_part,
    load_within,
    store_part,
    store_within,
    turned_square,
    where_above_zero,
    where_equal,
)

__all__ = [
    "LINE",
    "STOPPED",
    "Sliding",
    "adjoint",
    "aligned",
    "lay_out",
    "runs",
    "sliding",
    "take_out",
    "through",
    "turn",
]

LINE = 16  # numbers in a cache line
STOPPED = 255  # instead of the cell that won, where a ReLU let nothing through


class Sliding(NamedTuple):
    """Whole numbers only, so that a kernel can take it."""

    h: int  # the image as it lies in memory
    w: int
    c: int
    cell: int  # it gives one number to a square of so many cells a side, the sides of a pooling
    spread_h: int  # and is spread out so far in the room: 1 leaves no gaps
    spread_w: int
    top: int  # where its first pixel is in the room
    left: int
    rows: int  # the room, in pixels of so many numbers
    pitch: int
    depth: int
    step_h: int  # from window to window, in pixels
    step_w: int
    oh: int  # the output, f numbers a pixel
    ow: int
    f: int
    groups: int

    @property
    def in_place(self) -> bool:
        """Whether an image already lies as its room would."""
        plain = (self.cell, self.spread_h, self.spread_w, self.top, self.left) == (1, 1, 1, 0, 0)
        return plain and (self.rows, self.pitch, self.depth) == (self.h, self.w, self.c)

    @property
    def room(self) -> int:
        """Return how many numbers a room has."""
        return self.rows * self.pitch * self.depth


def sliding(
    windows: Windows, channels: int, filters: int, groups: int = 1, pool: int = 1
) -> Sliding:
    """Return how a convolution slides, with max pooling of ``pool`` x ``pool`` behind it."""
    (h, w), (oh, ow), (sh, sw) = windows.input, windows.output, windows.stride
    (top, bottom), (left, right) = windows.padding
    return Sliding(
        h, w, channels, 1, 1, 1, top, left, h + top + bottom, w + left + right, channels,
        sh * pool, sw * pool, oh // pool, ow // pool, filters, groups,
    )  # fmt: skip


def adjoint(
    windows: Windows, channels: int, filters: int, groups: int = 1, pool: int = 1
) -> Sliding:
    """Return how the flipped filters slide over the gradient dy to make dx.

    dz, spread out by the stride, with a frame of E-1-P, gives every cell of x what its windows
    received ("Deep Learning from Scratch", section 7.4; Dumoulin & Visin 2016, section 4).
    """
    (h, w), (oh, ow) = windows.input, windows.output
    (eh, ew), ((top, _), (left, _)) = windows.extent, windows.padding
    return Sliding(
        oh // pool, ow // pool, filters, pool, *windows.stride, eh - 1 - top, ew - 1 - left,
        h + eh - 1, w + ew - 1, filters, 1, 1, h, w, channels, groups,
    )  # fmt: skip


def through(windows: Windows, filters: int, pool: int = 1) -> Sliding:
    """Return how the gradient dy is laid out as dz: a pixel of whole vectors for each window."""
    (oh, ow), depth = windows.output, -(-filters // LANES) * LANES
    return Sliding(
        oh // pool, ow // pool, filters, pool, 1, 1, 0, 0, oh, ow, depth, 1, 1, oh, ow, filters, 1
    )


@kernel
def aligned(whole: Array) -> Array:
    """Return ``whole`` from the first cache line on, so that no vector lies across two; 16 less."""
    return whole[(-whole.ctypes.data // 4) % LINE :][: len(whole) - LINE]


def runs(windows: Windows, s: Sliding, pool: int = 1) -> Array:
    """Return where each run of a window begins (cells, runs), for every cell of the pooling."""
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    whole = dw == 1 and s.groups == 1
    u = np.arange(fh)[:, np.newaxis] * dh * s.pitch
    v = np.arange(1 if whole else fw) * dw
    a = np.arange(pool)[:, np.newaxis] * sh * s.pitch
    e = np.arange(pool) * sw
    return ((a + e).reshape(-1, 1) + (u + v).reshape(1, -1)) * s.depth


def flipped(windows: Windows) -> Windows:
    """Return the windows of the adjoint: the same, one by one over the room."""
    h, w = windows.input
    eh, ew = windows.extent
    return slide((h + eh - 1, w + ew - 1), windows.window, 1, 0, windows.dilation)


@kernel
def lay_out(
    x: Array, gate: Array, won: Array, n: int, room: Array, s: Sliding, low: int, high: int,
    top: int, rectified: bool,
) -> None:  # fmt: skip
    """Write rows ``low`` to ``high`` of image ``n`` into the room, whose frame stays as it is.

    Row 0 would be the room's row ``top``. With ``rectified``, only what has ``gate`` above zero;
    behind a pooling, only to the cell that ``won``. All arrays are flat.
    """
    if s.cell > 1:
        _send_back(x, won, n, room, s, low, high, top)
        return
    # Rows without gaps are copied in one run.
    packed = s.spread_w == 1 and s.depth == s.c
    first = max(0, -s.left) if packed else 0
    pixels = 1 if packed else s.w
    run = (min(s.w, s.pitch - s.left) - first) * s.c if packed else s.c
    for i in range(low, high):
        line = i * s.spread_h + top
        if not 0 <= line < s.rows:
            continue
        for j in range(first, first + pixels):
            column = j * s.spread_w + s.left
            if not 0 <= column < s.pitch:
                continue
            at = ((n * s.h + i) * s.w + j) * s.c
            to = (line * s.pitch + column) * s.depth
            for k in range(0, run, LANES):
                count = min(LANES, run - k)
                t = load_part(x, at + k, count)
                if rectified:
                    t = where_above_zero(t, load_part(gate, at + k, count), np.float32(0))
                store_part(t, room, to + k, count)


@kernel
def _send_back(
    x: Array, won: Array, n: int, room: Array, s: Sliding, low: int, high: int, top: int
) -> None:
    """Write each number of image ``n`` to the cell of its window that ``won``, 0 to the others."""
    for i in range(low, high):
        for a in range(s.cell):
            line = (i * s.cell + a) * s.spread_h + top
            if not 0 <= line < s.rows:
                continue
            for j in range(s.w):
                at = ((n * s.h + i) * s.w + j) * s.c
                for e in range(s.cell):
                    column = (j * s.cell + e) * s.spread_w + s.left
                    if not 0 <= column < s.pitch:
                        continue
                    to, mine = (line * s.pitch + column) * s.depth, np.float32(a * s.cell + e)
                    for k in range(0, s.c, LANES):
                        count = min(LANES, s.c - k)
                        winner = load_bytes(won, at + k, count)
                        t = where_equal(load_part(x, at + k, count), winner, mine)
                        store_part(t, room, to + k, count)


@kernel
def turn(x: Array, i: int, rows: int, columns: int, y: Array, j: int, pitch: int) -> None:
    """Write the matrix ``x[i:]`` (rows, columns) to ``y[j:]`` (columns, rows).

    There, a row begins every ``pitch`` numbers.
    """
    for r in range(0, rows, LANES):
        for c in range(0, columns, LANES):
            here, to = i + r * columns + c, j + c * pitch + r
            t = load_within(LANES, 1, x, here, columns, 0, rows - r, 1, columns - c)
            store_within(turned_square(t), y, to, pitch, 0, columns - c, 1, rows - r)


@kernel
def take_out(room: Array, n: int, x: Array, s: Sliding) -> None:
    """Write image ``n`` as it lies in its room, without the frame."""
    for i in range(s.h):
        to, here = (n * s.h + i) * s.w * s.c, ((i + s.top) * s.pitch + s.left) * s.depth
        for k in range(0, s.w * s.c, LANES):
            count = min(LANES, s.w * s.c - k)
            store_part(load_part(room, here + k, count), x, to + k, count)
