"""The filter gradient of a depthwise convolution: the twin of `pellucid.ops`, to 1e-5.

    dw[u,v,c] = Σ_nij x[i·S+u-P, j·S+v-P, c] · dz[i,j,c]

For `LANES` channels at a time, a band of rows of x and one of dz are copied into strips (see
`pellucid.kernels.convolution.depthwise`), and a tile of sums, one vector for each of ``height``
taps, stays in registers while the pixels pass by.

All arrays are flat, float32, channels-last, allocated by the engine. A task is a chunk of images,
and writes to its own row of the sums, (vectors, FH·FW, LANES) each; `unpack` adds up the rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import add_rows_from, inner_at, zeros
from ..tree import add_chunks
from .arguments import PartialSums
from .depthwise import TOGETHER, Strip, copy_bands
from .direct import add_pixels
from .layout import LINE, GatedGradient, aligned

__all__ = ["backward_weights", "unpack"]


@cache
def backward_weights(height: int) -> Any:
    """Return the kernel for tiles of ``height`` taps."""

    @inlined
    def tile_over_band(
        strip: Array, start: int, places: Array, tap: int, dz: Array, at: int, size: Any,
        line: int, step: int,
    ) -> Any:  # fmt: skip
        """Return ``Σ_ij strip[start + i·line + j·step + places[tap + r]] · dz[at + (i,j)]``."""
        (rows, columns), t = size, zeros(height, 1)
        for i in range(rows):
            window = start + i * line
            for _ in range(columns):
                t = inner_at(t, strip, window, places, tap, dz, at)
                window += step
                at += LANES
        return t

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, places: Array,
        s: Strip, per: int,
    ) -> None:  # fmt: skip
        """Write each chunk's sums of the gradients of filters and bias.

        ``places`` are those of the taps in the strip; a band is ``per`` rows of dz.
        """
        (all_weights, all_bias, bounds), c = sums, s.c
        image, gradient = (x.numbers, x.gate, x.gated), (dy.numbers, dy.gate, dy.gated)
        frame, frame_of_dz = (s.h, s.w, c, s.left, s.pitch), (s.oh, s.ow, c, 0, s.ow)
        taps, line = len(places), s.step_h * s.pitch * LANES
        step = s.step_w * LANES
        longest = ((per - 1) * s.step_h + s.rows) * s.pitch * LANES
        strip = aligned(np.zeros(TOGETHER * longest + LINE, dtype=np.float32))
        of_dz = per * s.ow * LANES
        dz = aligned(np.zeros(TOGETHER * of_dz + LINE, dtype=np.float32))
        for chunk in share(queue):
            weights, bias = all_weights[chunk], all_bias[chunk]
            weights[:] = 0
            bias[:] = 0
            for n in range(bounds[chunk], bounds[chunk + 1]):
                for low in range(0, s.oh, per):
                    rows = min(per, s.oh - low)
                    first, read = low * s.step_h - s.top, (rows - 1) * s.step_h + s.rows
                    for k in range(0, c, LANES):
                        which = k // LANES % TOGETHER
                        if which == 0:
                            copy_bands(image, n, k, strip, longest, frame, first, read)
                            copy_bands(gradient, n, k, dz, of_dz, frame_of_dz, low, rows)
                        start, at = which * longest, which * of_dz
                        add_pixels(dz[at:], rows * s.ow, LANES, bias[k : k + LANES])
                        for block in range(0, taps, height):
                            tap, size = min(block, taps - height), (rows, s.ow)
                            t = tile_over_band(strip, start, places, tap, dz, at, size, line, step)
                            # Rows that the overlapping last tile computes once more are skipped.
                            to = k * taps + tap * LANES
                            add_rows_from(t, weights, to, LANES, block - tap, LANES)

    return accumulate


@kernel
def unpack(queue: Array, sums: Array, dw: Array) -> None:
    """Add up the chunks' ``sums`` into ``dw`` (C, FH·FW); a task is a vector of channels."""
    channels, taps = dw.shape
    for vector in share(queue):
        first = vector * taps * LANES
        add_chunks(sums, first, first + taps * LANES)
        for c in range(vector * LANES, min(channels, (vector + 1) * LANES)):
            for tap in range(taps):
                dw[c, tap] = sums[0, first + tap * LANES + c % LANES]
