"""How a window slides over a channels-last image.

In a channels-last image (H, W, C) the cells of a window that lie in one row of it follow each other
in memory: with stride S, window (i, j) is FH *runs* of FW·C numbers each, and

    z[i,j,f] = b[f] + Σ_r Σ_k w[r,k,f] · x[offset[r] + (i·S·W + j·S)·C + k]

No im2col matrix is needed: its rows are there already. (With dilation, or with groups, the runs
are the FH·FW single cells of C/groups numbers.) An image that does not lie in memory like this is
copied into a *padded* one first: see `pellucid.kernels.convolution.layout`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES

__all__ = ["Sliding", "adjoint", "runs", "sliding", "through"]


class Sliding(NamedTuple):
    """Where the image, its padded copy and the windows lie: integers, which Numba takes by value.

    The image lies in memory as (h, w, c), the padded one as (rows, pitch, depth).
    """

    h: int
    w: int
    c: int
    cell: int  # each number of the image belongs to a square of cell x cell, a pooling window
    spread_h: int  # distance of two neighbouring pixels in the padded image: 1 leaves no gaps
    spread_w: int
    top: int  # the padded image's row and column of the first pixel
    left: int
    rows: int
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
        """Whether an image already lies in memory as its padded copy would."""
        plain = (self.cell, self.spread_h, self.spread_w, self.top, self.left) == (1, 1, 1, 0, 0)
        return plain and (self.rows, self.pitch, self.depth) == (self.h, self.w, self.c)

    @property
    def padded_size(self) -> int:
        """How many numbers the padded image has."""
        return self.rows * self.pitch * self.depth


def sliding(
    windows: Windows, channels: int, filters: int, groups: int = 1, pool: int = 1
) -> Sliding:
    """Return how a convolution slides, followed by max pooling of ``pool`` x ``pool``."""
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
    """Return how the gradient dy is laid out as dz: whole vectors of filters for each window."""
    (oh, ow), depth = windows.output, -(-filters // LANES) * LANES
    return Sliding(
        oh // pool, ow // pool, filters, pool, 1, 1, 0, 0, oh, ow, depth, 1, 1, oh, ow, filters, 1
    )


def runs(windows: Windows, s: Sliding, pool: int = 1) -> Array:
    """Return the offset of each run of a window (cells, runs), for every cell of the pooling."""
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    whole = dw == 1 and s.groups == 1
    u = np.arange(fh)[:, np.newaxis] * dh * s.pitch
    v = np.arange(1 if whole else fw) * dw
    a = np.arange(pool)[:, np.newaxis] * sh * s.pitch
    e = np.arange(pool) * sw
    return ((a + e).reshape(-1, 1) + (u + v).reshape(1, -1)) * s.depth
