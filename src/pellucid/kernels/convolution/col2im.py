"""The input gradient as the textbook's ``col2im(dz·W)``: each window adds its share to the image.

    dx[offset[r] + (i·S·W + j·S)·C + k] += Σ_f dz[i,j,f] · w[r,f,k]

for the runs r of window (i, j). It is faster than the forward of dz with flipped filters where the
channels are few or a stride would leave gaps in dz. "Deep Learning from Scratch", section 7.4.

All arrays are flat, float32 (``argmax``: uint8), channels-last, allocated by the engine; the
filters come as `pellucid.kernels.convolution.filters.pack_rows` writes them. A task is an image.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import add_rows_from, zeros
from .geometry import Sliding
from .layout import LINE, GatedGradient, aligned, crop, lay_out
from .tiles import tile_nn

__all__ = ["backward_images"]


@cache
def backward_images(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` windows x ``vectors`` of the numbers of a run."""
    tile_width = vectors * LANES

    @kernel
    def col2im(
        queue: Array, dy: GatedGradient, filters: Array, dx: Array, run_offset: Array, s: Sliding,
        d: Sliding, length: int,
    ) -> None:  # fmt: skip
        """Write ``dx``; a run has ``length`` numbers."""
        runs, per_group, channels = len(run_offset), s.f // s.groups, s.c // s.groups
        width = filters.size // (s.groups * runs * per_group)
        line, step = s.step_h * s.pitch * s.depth, s.step_w * s.depth
        padded = np.empty(s.rows * s.pitch * s.depth, dtype=np.float32)
        dz = aligned(np.zeros(d.rows * d.pitch * d.depth + LINE, dtype=np.float32))
        for n in share(queue):
            padded[:] = 0
            lay_out(dy, n, dz, d, 0, d.h, 0)
            for g in range(s.groups):
                for r in range(runs):
                    for k in range(0, length, tile_width):
                        count, of_run = (
                            min(tile_width, length - k),
                            run_offset[r] + g * channels + k,
                        )
                        weights = (g * runs + r) * per_group * width + k
                        for i in range(d.rows):
                            for block in range(0, d.pitch, height):
                                j = min(block, d.pitch - height)
                                pixel = (i * d.pitch + j) * d.depth + g * per_group
                                t = tile_nn(
                                    zeros(height, vectors), dz, pixel, d.depth,
                                    filters, weights, width, per_group,
                                )  # fmt: skip
                                to = i * line + j * step + of_run
                                add_rows_from(t, padded, to, step, block - j, count)
            crop(padded, n, dx, s)

    return col2im
