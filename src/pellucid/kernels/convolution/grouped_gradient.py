"""The filter gradient of a convolution with few channels a group: the twin of `pellucid.ops`.

    dw[u,v,k,f] = Σ_nij x[i·S+u-P, j·S+v-P, f // made · given + k] · dz[i,j,f]        (to 1e-5)

Rectangles of x and dz are read in place or from strips, as in
`pellucid.kernels.convolution.grouped`. A tile of sums, some rows of a window, stays in registers
while the pixels pass by, some of dz's at a time: what is read of x serves all that see it.

All arrays are flat, float32, channels-last, allocated by the engine. A task is a chunk of images,
and writes to its own row of the sums, (vectors, FH·FW, given, LANES) each; `unpack` adds up the
rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    SECOND,
    add_rows_from,
    flat,
    load,
    prefetch_tile,
    row_sum,
    slide_back,
    transpose,
    zeros,
)
from ..tree import add_chunks
from .arguments import PartialSums
from .grouped import copy_strips, groups_per_vector, rectangle
from .layout import LINE, GatedGradient, aligned
from .rectangles import TOGETHER, Cut, Reading

__all__ = ["backward_weights", "unpack"]

FETCHED = 4  # rows that a tile reads, if the next ones are fetched ahead: more take long enough
BAND = 2  # rows that a vector of channels passes over, if they are read in place


@cache
def backward_weights(width: int, height: int, run: int, step: int, given: int, made: int) -> Any:
    """Return the kernel for ``width`` pixels of dz and ``height`` rows of a window at a time.

    A tile has a ``run`` of taps of each row, for pixels ``step`` apart, or a single one. A group
    has ``given`` channels and ``made`` filters.
    """
    groups, columns = groups_per_vector(given, made), run * given
    per, per_made = groups * given, groups * made

    @inlined
    def tile_over_pixels(x: Any, dz: Any, first: int, rows: int, wide: int, down: int) -> Any:
        """Return the sums of a tile of taps over a rectangle, and those of dz."""
        image, at, line, pixel, tap_pixel, ahead = x
        gradient, start, line_of_dz, pixel_of_dz = dz
        t, total = zeros(height, columns), zeros(1, 1)
        for i in range(rows):
            window, of_dz = at + first + i * line, start + i * line_of_dz
            for _ in range(0, wide, width):
                if ahead:
                    prefetch_tile(SECOND, 1, width, image, window + ahead, 0, pixel)
                    later = of_dz + BAND * line_of_dz
                    prefetch_tile(SECOND, 1, width, gradient, later, 0, pixel_of_dz)
                d = load(1, width, gradient, of_dz, 0, pixel_of_dz)
                t = slide_back(t, image, window, down, tap_pixel, step, given, made, d)
                total = total + row_sum(transpose(d))
                window += width * pixel
                of_dz += width * pixel_of_dz
        return t, total

    @inlined
    def add_taps(x: Any, dz: Any, extent: Any, window: Any, weights: Any, bias: Any) -> None:
        """Add what a rectangle of one vector of channels gives to the sums of all taps."""
        (fh, fw, down, across), (rows, wide) = window, extent
        for block in range(0, fh, height):
            u = min(block, fh - height)
            for v in range(0, fw, run):
                t, total = tile_over_pixels(x, dz, u * down + v * across, rows, wide, down)
                # Rows that the overlapping last tile computes once more are skipped.
                place = weights[1] + (u * fw + v) * given * LANES
                add_rows_from(t, weights[0], place, fw * given * LANES, block - u, columns * LANES)
                if block + v == 0:
                    add_rows_from(total, bias[0], bias[1], 0, 0, LANES)

    @inlined
    def add_rectangle(
        x: Any, dz: Any, extent: Any, vectors: Any, window: Any, s: Any, sums: Any
    ) -> None:
        """Add what a rectangle of some vectors gives, a band of ``per`` rows after another."""
        (image, at, line, pixel, deep), (gradient, start, row, each, deep_of_dz) = x, dz
        (rows, wide, band, ahead), (first, end), (fh, fw, dh, dw) = extent, vectors, window
        tap_pixel = pixel if run > 1 else s.step_w * pixel
        taps = (fh, fw, dh * line, dw * pixel)
        # The last row that a tile sees, and the row below it of the next band.
        below = (s.rows - s.step_h - 1 + BAND * s.step_h) * line if ahead else 0
        for low in range(0, rows, band):
            for k in range(first, end):
                of_x = at + (k - first) * deep + low * s.step_h * line
                of_dz = start + (k - first) * deep_of_dz + low * row
                seen = (image, of_x, s.step_h * line, s.step_w * pixel, tap_pixel, below)
                places = (sums[0], k * fh * fw * given * LANES), (sums[1], k * LANES)
                some = (min(band, rows - low), wide)
                add_taps(seen, (gradient, of_dz, row, each), some, taps, places[0], places[1])

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, s: Reading, cut: Cut,
        window: tuple[int, int, int, int],
    ) -> None:  # fmt: skip
        """Write each chunk's sums of the gradients of filters and bias.

        The ``window`` is FH, FW, and the dilations.
        """
        all_weights, all_bias, bounds = sums
        images, gradients = (x.numbers, x.gate, x.gated), (dy.numbers, dy.gate, dy.gated)
        rectangles, count = flat(cut.rectangles), len(cut.rectangles)
        size, of_dz = cut.strip, cut.result
        vectors = (s.f + per_made - 1) // per_made
        strip = aligned(np.empty(TOGETHER * size + LINE, dtype=np.float32))
        strip_of_dz = aligned(np.empty(TOGETHER * of_dz + LINE, dtype=np.float32))
        for chunk in share(queue):
            weights, bias = all_weights[chunk], all_bias[chunk]
            weights[:] = 0
            bias[:] = 0
            for task in range(bounds[chunk] * count, bounds[chunk + 1] * count):
                n = task // count
                (first, last), (left, right), together = rectangle(rectangles, task % count)
                rows, top, side = last - first, first * s.step_h - s.top, left * s.step_w - s.left
                wide = (right - left + width - 1) // width * width
                for v in range(0, vectors, together if together else TOGETHER):
                    if together:
                        at = ((n * s.h + top) * s.w + side) * s.c + v * per
                        start = ((n * s.oh + first) * s.ow + left) * s.f + v * per_made
                        read = (images[0], at, s.w * s.c, s.c, per)
                        given_dz = (gradients[0], start, s.ow * s.f, s.f, per_made)
                        extent = (rows, wide, BAND, s.step_h == s.step_w == 1 and s.rows <= FETCHED)
                    else:
                        pitch = (wide - 1) * s.step_w + s.columns
                        height_of_x = (rows - 2) * s.step_h + s.rows
                        of = (s.h, s.w, s.c, height_of_x, pitch)
                        copy_strips(images, (n, top, side), v * per, per, strip, size, of)
                        of = (s.oh, s.ow, s.f, rows, wide)
                        corner = (n, first, left)
                        copy_strips(
                            gradients, corner, v * per_made, per_made, strip_of_dz, of_dz, of
                        )
                        read = (strip, 0, pitch * LANES, LANES, size)
                        given_dz = (strip_of_dz, 0, wide * LANES, LANES, of_dz)
                        extent = (rows, wide, rows, False)
                    those = (v, min(vectors, v + (together if together else TOGETHER)))
                    add_rectangle(read, given_dz, extent, those, window, s, (weights, bias))

    return accumulate


@kernel
def unpack(queue: Array, sums: Array, bias: Array, lanes: int, dw: Array, db: Array) -> None:
    """Add up the chunks' ``sums`` into ``dw`` (F, C/groups, FH·FW), and the ``bias`` into ``db``.

    A task is a vector, of whose ``lanes`` each has a filter.
    """
    filters, given, taps = dw.shape
    size = taps * given * LANES
    for vector in share(queue):
        first, lane = vector * size, vector * LANES
        add_chunks(sums, first, first + size)
        add_chunks(bias, lane, lane + LANES)
        for f in range(vector * lanes, min(filters, (vector + 1) * lanes)):
            db[f] = bias[0, lane + f % lanes]
            for tap in range(taps):
                for k in range(given):
                    dw[f, k, tap] = sums[0, first + (tap * given + k) * LANES + f % lanes]
