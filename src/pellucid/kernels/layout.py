"""How one image lies in memory so that every row of its im2col matrix is a contiguous run of it.

With stride S the image, its padding around it, is split into S x S phases: phase (a, b) holds the
rows a, a+S, ... and the columns b, b+S, .... Tap (c, u, v) of a filter then reads, for the outputs
p = (oy, ox) in turn, one number after the other from where the tap begins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..shapes import Windows
from ..typing import Array
from .jit import LANES

__all__ = ["Layout", "layout", "tap_tables"]


class Layout(NamedTuple):
    """How one image lies in ``xs``, and how far its outputs reach; numbers of cells."""

    channels: int  # of one group
    h: int  # of the image
    w: int
    spread_h: int  # from one of its rows to the next; above 1 for the gradient of a stride
    spread_w: int
    top: int
    left: int
    sh: int  # strides, of convolution and pooling together
    sw: int
    rows: int  # of one phase
    pitch: int  # columns of one phase
    oh: int
    ow: int
    groups: int

    @property
    def plane(self) -> int:
        """Cells of one channel."""
        return self.sh * self.sw * self.rows * self.pitch

    def reach(self, vectors: int) -> int:
        """Cells from the first output to behind the last, up to a whole tile of ``vectors``."""
        tile = vectors * LANES
        return -(-((self.oh - 1) * self.pitch + self.ow) // tile) * tile

    def room(self, reach: int) -> int:
        """Cells that ``xs`` needs for one image, the tail that the last tile reads included."""
        return self.groups * self.channels * self.plane + reach


def layout(
    windows: Windows,
    channels: int,
    groups: int,
    pool: int = 1,
    spread: tuple[int, int] = (1, 1),
) -> Layout:
    """Return the layout for images of ``channels`` over which ``windows`` slide.

    Parameters
    ----------
    windows : Windows
        Of the convolution.
    channels, groups : int
    pool : int
        K of the pooling that follows; 1 for none.
    spread : (int, int)
        How many cells the windows see from one cell of the image to the next, zeros between them;
        above 1 the windows must have stride 1.
    """
    (h, w), (sh, sw), (oh, ow) = windows.input, windows.stride, windows.output
    (ph, pw), ((top, _), (left, _)) = windows.padded, windows.padding
    h, w, sh, sw = (h - 1) // spread[0] + 1, (w - 1) // spread[1] + 1, sh * pool, sw * pool
    rows, pitch, oh, ow = -(-ph // sh), -(-pw // sw), oh // pool, ow // pool
    return Layout(channels // groups, h, w, *spread, top, left, sh, sw, rows, pitch, oh, ow, groups)


def tap_tables(windows: Windows, lay: Layout, pool: int = 1) -> Array:
    """Return where each tap (c, u, v) begins in ``xs``, a row for each cell of the pool."""
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    a, b, c, u, v = np.ogrid[:pool, :pool, : lay.channels, :fh, :fw]
    row, column = sh * a + dh * u, sw * b + dw * v
    phase = (row % lay.sh) * lay.sw + column % lay.sw
    cell = (row // lay.sh) * lay.pitch + column // lay.sw
    at = c * lay.plane + phase * lay.rows * lay.pitch + cell
    return at.reshape(pool * pool, -1).astype(np.int64)
