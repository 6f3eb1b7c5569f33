"""The gradient for images of few channels: twin of `pellucid.ops.conv2d_backward`'s dx, to 1e-5.

    dx[n,c,i+u-P,j+v-P] += Σ_f w[f,c,u,v] · dy[n,f,i,j]

for windows that move one by one. Channels-last, the one channel of a grey image would leave 15 of a
vector's 16 lanes empty. Here the lanes are neighbouring windows, and a tile has a row for each cell
(c, u, v) of the window: the sums of a row belong to neighbouring pixels, where they are added as
they are. For that the images lie channels first, each row of dy as long as one of the padded image.

All arrays are flat, float32, C-contiguous, allocated by the caller: ``dy`` (N, OH, OW, F), ``w``
(F, cells), filled up with zeros to whole tiles, ``dx`` (N, C, H, W). A task is an image, and writes
that image and nothing else.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import load, outer, store, zeros
from .geometry import LINE, aligned, turn

__all__ = ["spread", "tile_height"]

MOST = REGISTERS - 4  # rows of a tile: one more register holds what they are multiplied with


def tile_height(cells: int) -> int:
    """Return how many of the window's cells go together: all, or even parts of them."""
    return -(-cells // -(-cells // MOST))


@cache
def spread(height: int) -> Any:
    """Return the kernel for tiles of ``height`` cells x one vector of windows."""

    @kernel
    def give_back(
        queue: Array, dy: Array, w: Array, dx: Array, at: Array, filters: int, oh: int, ow: int,
        channels: int, h: int, wd: int, pitch: int, rows: int, top: int, left: int,
    ) -> None:  # fmt: skip
        """Write ``dx``; cell k of a window at place p is ``at[k] + p`` of the padded image."""
        cells = len(at)
        long = -(-oh * pitch // LANES) * LANES
        dz = aligned(np.zeros(filters * long + LINE, dtype=np.float32))
        # The last windows' vectors reach as far beyond the image as a window is wide.
        size = channels * rows * pitch + long - oh * pitch + pitch
        padded = aligned(np.empty(size + LINE, dtype=np.float32))
        sums = aligned(np.empty(height * LANES + LINE, dtype=np.float32))
        for n in share(queue):
            padded[:] = 0
            for i in range(oh):
                turn(dy, (n * oh + i) * ow * filters, ow, filters, dz, i * pitch, long)
            for k in range(0, cells, height):
                for p in range(0, long, LANES):
                    t = zeros(height, 1)
                    for f in range(filters):
                        t = outer(t, w, f * cells + k, 1, dz, f * long + p)
                    store(t, sums, 0, LANES)
                    for r in range(height):
                        here = at[k + r] + p
                        u = load(1, 1, padded, here, 0, 0) + load(1, 1, sums, r * LANES, 0, 0)
                        store(u, padded, here, 0)
            for c in range(channels):
                for i in range(h):
                    to, here = ((n * channels + c) * h + i) * wd, (c * rows + i + top) * pitch
                    for j in range(wd):
                        dx[to + j] = padded[here + left + j]

    return give_back
