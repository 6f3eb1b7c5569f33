"""The gradient for images of few channels: twin of `pellucid.ops.conv2d_backward`'s dx, to 1e-5.

    dx[n,c,S·i+u-P,S·j+v-P] += Σ_f w[f,c,u,v] · dy[n,f,i,j]

Channels-last, the one channel of a grey image would leave 15 of a vector's 16 lanes empty. Here the
lanes are neighbouring windows, and a tile has a row for each cell (c, u, v) of the window: the sums
of a row belong to neighbouring pixels of a plane, to which they are added as they are. With stride
S the padded image has S x S planes for each channel, plane (p, q) of the pixels (S·i + p, S·j + q),
so that neighbouring windows have neighbouring pixels again. A row of dz is as long as one of a
plane.

All arrays are flat, float32 (``argmax``: uint8), C-contiguous, channels-last, allocated by the
caller; ``w`` is (F, cells), padded with zeros to whole tiles. A task is an image, and writes that
image and nothing else.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import load, store, zeros
from .geometry import Sliding
from .layout import LINE, GatedGradient, aligned, lay_out, transpose_matrix
from .tiles import tile_tn

__all__ = ["Planes", "backward_images", "planes", "tile_height"]

ROWS = REGISTERS - 4  # of a tile at most: one more register holds what they are multiplied with


class Planes(NamedTuple):
    """Where the planes of a padded image lie, and in them the cells of a window."""

    cell_offset: Array  # of each cell of window (0, 0); then 0 until all tiles are full
    stride_h: int
    stride_w: int
    rows: int  # of a plane
    pitch: int
    reach: int  # the largest offset of a cell within its plane


def planes(windows: Windows, s: Sliding) -> Planes:
    """Return where the planes lie; cells are counted column by column (FW, C, FH).

    In this order a vector seldom overlaps the one just written, for which it would have to wait.
    """
    (fh, fw), (sh, sw), (dh, dw) = windows.window, windows.stride, windows.dilation
    rows, pitch = -(-s.rows // sh), -(-s.pitch // sw)
    v, c, u = np.ogrid[:fw, : s.c, :fh]
    row, column = u * dh, v * dw
    plane = (c * sh + row % sh) * sw + column % sw
    within = row // sh * pitch + column // sw
    offset = (plane * rows * pitch + within).ravel()
    height = tile_height(offset.size)
    cell_offset = np.zeros(-(-offset.size // height) * height, dtype=np.int64)
    cell_offset[: offset.size] = offset
    return Planes(cell_offset, sh, sw, rows, pitch, int(within.max()))


def tile_height(cells: int) -> int:
    """Return how many of a window's cells a tile has: all, or even parts of them."""
    return -(-cells // -(-cells // ROWS))


@kernel
def _merge(padded: Array, n: int, dx: Array, s: Sliding, p: Planes) -> None:
    """Write image ``n`` of ``dx`` from its planes, without the frame."""
    _, stride_h, stride_w, rows, pitch, _ = p
    for c in range(s.c):
        for i in range(s.h):
            row, to = i + s.top, (n * s.h + i) * s.w * s.c + c
            plane = (c * stride_h + row % stride_h) * stride_w
            line = row // stride_h * pitch
            for j in range(s.w):
                column = j + s.left
                at = (plane + column % stride_w) * rows * pitch + line + column // stride_w
                dx[to + j * s.c] = padded[at]


@cache
def backward_images(height: int) -> Any:
    """Return the kernel for tiles of ``height`` cells x one vector of windows."""

    @kernel
    def col2im(
        queue: Array, dy: GatedGradient, w: Array, dx: Array, s: Sliding, d: Sliding, p: Planes
    ) -> None:
        """Write ``dx``: the sums of each cell added to the pixels that the windows saw there."""
        cell_offset = p.cell_offset
        cells, long = len(cell_offset), -(-d.rows * p.pitch // LANES) * LANES
        last = np.empty(d.rows * d.pitch * d.depth, dtype=np.float32)
        dz = aligned(np.zeros(d.depth * long + LINE, dtype=np.float32))
        # The vectors of the last windows reach beyond the last plane.
        size = s.c * p.stride_h * p.stride_w * p.rows * p.pitch + p.reach + long
        padded = aligned(np.empty(size + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * LANES + LINE, dtype=np.float32))
        for n in share(queue):
            padded[:] = 0
            lay_out(dy, n, last, d, 0, d.h, 0)
            for i in range(d.rows):
                transpose_matrix(
                    last, i * d.pitch * d.depth, d.pitch, d.depth, dz, i * p.pitch, long
                )
            for k in range(0, cells, height):
                for j in range(0, long, LANES):
                    t = tile_tn(zeros(height, 1), w, k, cells, dz, j, long, s.f)
                    store(t, sums, 0, LANES)
                    for r in range(height):
                        to = cell_offset[k + r] + j
                        u = load(1, 1, padded, to, 0, 0) + load(1, 1, sums, r * LANES, 0, 0)
                        store(u, padded, to, 0)
            _merge(padded, n, dx, s, p)

    return col2im
