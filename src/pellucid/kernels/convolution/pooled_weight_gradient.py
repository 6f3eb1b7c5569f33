"""The filter gradient after max pooling: only the windows at the argmax contribute.

After a pooling without overlap, filter f has one number dy[p,f] for each of the K² windows around
position p, and it belongs to one of them, ``q = argmax[p,f]``. With x[p,q] the numbers that it saw,

    dw[f,:] = Σ_p dy[p,f] · x[p, argmax[p,f]]        db[f] = Σ_p dy[p,f]

which is one product where dz, spread out, would take K². Vectors lie along the window's numbers,
and a tile has ``height`` filters, each of which reads its own window.

*Strips.* A window is read where it lies in the channels-last image, a run at a time (see
`pellucid.kernels.convolution.geometry`). If its runs are so short that vectors would stay
empty, the image is laid out in strips first (`pellucid.kernels.convolution.strips`).

All arrays are flat, float32 (``argmax``: uint8), channels-last, allocated by the engine. A task is
one chunk of images, and writes to its own partial sums. The twin of `pellucid.ops`, to 1e-5.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, REGISTERS, inlined, kernel
from ..pool.threads import share
from ..simd import add_rows_from, load_bytes, load_part, outer_argmax, store, where_below, zeros
from ..tree import add_chunks
from .arguments import PartialSums
from .direct import add_pixels
from .geometry import Sliding
from .layout import BYTES, LINE, STOPPED, GatedGradient, aligned, lay_out
from .strips import Strips, make_strips

__all__ = ["backward_weights", "tile_shape", "unpack"]

# What tiles there are: every one is a kernel to compile.
HEIGHTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


class Band(NamedTuple):
    """Rows of dy: integers, which Numba takes by value."""

    low: int
    high: int
    first: int  # where they begin among all images


def tile_shape(filters: int, length: int) -> tuple[int, int]:
    """Return the tile, filters x vectors of a run, that takes the fewest cycles.

    Every vector takes a cycle to be read and multiplied, and a filter another one, to find its
    window; a step never takes less than the eight in which the addresses are found.
    """
    wide = -(-length // LANES)

    def cycles(tile: tuple[int, int]) -> tuple[float, int]:
        height, vectors = tile
        tiles = -(-filters // height) * -(-wide // vectors)
        return tiles * max(height * (vectors + 1) + 1, 8), -height * vectors

    tiles = [
        (height, vectors)
        for vectors in WIDTHS
        for height in HEIGHTS
        if vectors <= wide and height <= filters and height * vectors <= REGISTERS * 3 // 4
    ]
    return min(tiles, key=cycles)


@kernel
def _mask_stopped(dy: GatedGradient, first: int, count: int, dz: Array) -> None:
    """Write ``count`` numbers of dy into ``dz``; those that a ReLU stopped become 0."""
    numbers, argmax = dy.numbers, dy.argmax
    for k in range(0, count, LANES):
        begin, some = first + k, min(LANES, count - k)
        t, u = load_part(numbers, begin, some), load_bytes(argmax, begin, some)
        store(where_below(t, u, np.float32(STOPPED)), dz, k, 0)


@cache
def backward_weights(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` filters x ``vectors`` of a run."""
    tile_width = vectors * LANES

    @inlined
    def tile_over_positions(
        dz: Array, f: int, argmax: Array, argmax_offset: Array, x: Array, begin: int, step: int,
        band: Band, s: Sliding,
    ) -> Any:  # fmt: skip
        """Return ``Σ_ij dz[i,j,f + r] · x[begin + offset[i,argmax[i,j,f + r]] + j·step : ]``."""
        t = zeros(height, vectors)
        for i in range(band.low, band.high):
            pixel = (i - band.low) * s.ow * s.f + f
            for j in range(s.ow):
                t = outer_argmax(
                    t, dz, pixel, argmax, band.first + pixel,
                    argmax_offset, i * BYTES, x, begin + j * step,
                )  # fmt: skip
                pixel += s.f
        return t

    @inlined
    def add_band(
        x: Array, start: int, dz: Array, argmax: Array, offsets: tuple[Array, Array], sums: Array,
        s: Sliding, strips: Strips, band: Band,
    ) -> None:  # fmt: skip
        """Add what a band contributes to the sums of all filters and runs."""
        argmax_offset, run_offset = offsets
        per_group, taps = s.f // s.groups, len(sums) // s.f
        width, length = taps // len(run_offset), strips.run_length
        for g in range(s.groups):
            for r in range(len(run_offset)):
                for k in range(0, length, tile_width):
                    begin = start + g * strips.group + run_offset[r] + k
                    for block in range(0, per_group, height):
                        f = min(block, per_group - height)
                        t = tile_over_positions(
                            dz, g * per_group + f, argmax, argmax_offset, x, begin, strips.step,
                            band, s,
                        )  # fmt: skip
                        # Rows that the overlapping last tile computes once more are skipped.
                        to = (g * per_group + f) * taps + r * width + k
                        add_rows_from(t, sums, to, taps, block - f, tile_width)

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums,
        offsets: tuple[Array, Array], s: Sliding, strips: Strips, in_place: bool, band: int,
    ) -> None:  # fmt: skip
        """Write each chunk's sums of the gradients of filters and bias.

        ``offsets`` are those of the argmax and of the runs, as `strips.place_windows` returns them.
        A ``band`` of rows of dy is done at a time, so that what its windows see stays in cache.
        """
        (all_weights, all_bias, bounds), numbers, argmax = sums, x.numbers, dy.argmax
        line, size = s.ow * s.f, 0 if in_place else s.rows * s.pitch * s.depth
        padded = aligned(np.zeros(size + tile_width + LINE, dtype=np.float32))
        stripped = aligned(np.zeros(strips.size + tile_width + LINE, dtype=np.float32))
        dz = aligned(np.zeros(band * line + LANES + LINE, dtype=np.float32))
        for chunk in share(queue):
            weights, bias = all_weights[chunk], all_bias[chunk]
            weights[:] = 0
            bias[:] = 0
            for n in range(bounds[chunk], bounds[chunk + 1]):
                image, start = padded, 0
                if in_place:
                    image, start = numbers, n * s.h * s.w * s.c
                else:
                    lay_out(x, n, padded, s, 0, s.h, s.top)
                if strips.run:
                    make_strips(padded, stripped, s, strips)
                    image = stripped
                for low in range(0, s.oh, band):
                    rows, first = min(band, s.oh - low), (n * s.oh + low) * line
                    _mask_stopped(dy, first, rows * line, dz)
                    add_pixels(dz, rows * s.ow, s.f, bias)
                    rows_of_dy = Band(low, low + rows, first)
                    add_band(image, start, dz, argmax, offsets, weights, s, strips, rows_of_dy)

    return accumulate


@kernel
def unpack(queue: Array, sums: Array, taps: Array, dw: Array) -> None:
    """Add up the chunks' ``sums`` (chunks, F·width) into ``dw`` (F, taps), which lie at ``taps``.

    A task is a filter.
    """
    width = sums.shape[1] // len(dw)
    for f in share(queue):
        add_chunks(sums, f * width, (f + 1) * width)
        for k in range(len(taps)):
            dw[f, k] = sums[0, f * width + taps[k]]
