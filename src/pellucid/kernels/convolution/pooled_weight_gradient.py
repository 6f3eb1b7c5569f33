"""The filter gradient behind max pooling: only the windows that won take part.

Behind a pooling without overlap, filter f has one number dy[p,f] for each of the K² windows around
position p, and it goes to one of them, ``q = won[p,f]``. With x[p,q] the numbers that it saw,

    dw[f,:] = Σ_p dy[p,f] · x[p, won[p,f]]        db[f] = Σ_p dy[p,f]

which is one product where dz, spread out, would take K². Vectors lie along the window's numbers,
and a tile has ``height`` filters, each of which reads a window of its own.

*Strips.* A window is read where it lies in the channels-last image, a run at a time (see
`pellucid.kernels.convolution.geometry`). If its runs are so short that vectors would stay
empty, the image is laid out in strips first: one for each column j of windows, with all that
they see, row by row

    strip[j] = x[0, j:j+FW], x[1, j:j+FW], x[2, j:j+FW], ...

so that window (i, j) is one run of FH·FW·C numbers there, and (i + 1, j) begins FW·C numbers later
(Cho & Brand 2017, "MEC: Memory-efficient Convolution", section 3.1).

All arrays are flat, float32 (``won``: uint8), channels-last, allocated by the engine. A task is one
chunk of images, and writes to places of its own. The twin of `pellucid.ops`, to 1e-5.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import add_rows_from, load, load_bytes, load_part, outer_won, store, where_below, zeros
from .direct import add_pixels
from .geometry import LINE, STOPPED, Sliding, aligned, lay_out, runs

__all__ = ["Places", "backward_weights", "places", "strips", "tile_shape", "unpack"]

# What tiles there are: every one is a kernel to compile.
HEIGHTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
WIDTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
BYTES = 256  # places in a table of what ``won`` may say


class Places(NamedTuple):
    """Where the windows lie. Whole numbers only, so that a kernel can take it."""

    run: int  # numbers of one row of a strip; 0 if there are none
    room: int  # numbers of all strips
    columns: int  # of windows
    move: int  # pixels from one to the next
    dilation_h: int
    dilation_w: int
    window_w: int
    step: int  # numbers from position to position
    group: int  # numbers from group to group


def places(windows: Windows, s: Sliding, *, stripped: bool) -> tuple[Places, Array, Array]:
    """Return how windows lie, and where: that which won, for each row of dy, and each of its runs.

    ``s`` says how the windows slide with the pooling behind them.
    """
    fw, (dh, dw), (sh, sw) = windows.window[1], windows.dilation, windows.stride
    pool, channels = s.step_h // sh, s.c // s.groups
    q = np.arange(BYTES)
    q[pool * pool :] = 0  # no window won: any will do for a gradient of 0
    row = np.arange(s.oh)[:, np.newaxis] * s.step_h + q // pool * sh
    if not stripped:
        at = (row * s.pitch + q % pool * sw) * s.depth
        how = Places(0, 0, 0, sw, dh, dw, fw, s.step_w * s.depth, channels)
        return how, at.ravel(), runs(windows, s).ravel()
    # The rows that a window sees follow each other: every second one, then the others, if dilated.
    run, down, columns = fw * channels, -(-s.rows // dh), s.ow * pool
    strip = dh * down * run
    at = (row % dh * down + row // dh) * run + q % pool * strip
    all_strips = s.groups * columns * strip
    how = Places(run, all_strips, columns, sw, dh, dw, fw, pool * strip, columns * strip)
    return how, at.ravel(), np.zeros(1, dtype=np.int64)


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
def strips(image: Array, room: Array, s: Sliding, p: Places) -> None:
    """Write the image into the room, in strips."""
    channels, down = s.c // s.groups, -(-s.rows // p.dilation_h)
    whole, across = p.dilation_w == 1 and s.groups == 1, p.dilation_w * s.depth
    for g in range(s.groups):
        for j in range(p.columns):
            for first in range(p.dilation_h):
                to = ((g * p.columns + j) * p.dilation_h + first) * down * p.run
                for i in range(first, s.rows, p.dilation_h):
                    here = (i * s.pitch + j * p.move) * s.depth + g * channels
                    if whole:
                        _copy(image, here, room, to, p.run)
                    else:
                        for v in range(p.window_w):
                            _copy(image, here + v * across, room, to + v * channels, channels)
                    to += p.run


@kernel
def _copy(image: Array, here: int, room: Array, to: int, count: int) -> None:
    """Copy ``count`` numbers, and some behind them, where the next ones will be written."""
    for k in range(0, count, LANES):
        store(load(1, 1, image, here + k, 0, 0), room, to + k, 0)


@kernel
def _let_through(dy: Array, won: Array, first: int, count: int, dz: Array) -> None:
    """Write into ``dz`` what no ReLU stops of the ``count`` numbers of dy."""
    for k in range(0, count, LANES):
        here, some = first + k, min(LANES, count - k)
        winner = load_bytes(won, here, some)
        store(where_below(load_part(dy, here, some), winner, np.float32(STOPPED)), dz, k, 0)


@cache
def backward_weights(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` filters x ``vectors`` of a run."""

    @kernel
    def accumulate(
        queue: Array, x: Array, dy: Array, won: Array, dw: Array, db: Array, at: Array,
        starts: Array, s: Sliding, p: Places, in_place: bool, length: int, images: int, band: int,
    ) -> None:  # fmt: skip
        """Write each chunk's share of the gradients into ``dw[chunk]`` and ``db[chunk]``.

        A ``band`` of rows of dy is done at a time, so that what its windows see stays near.
        """
        chunks, per_group, every = len(db), s.f // s.groups, vectors * LANES
        taps, line = dw.shape[1] // s.f, s.ow * s.f
        wide = taps // len(starts)
        size = 0 if in_place else s.rows * s.pitch * s.depth
        image = aligned(np.zeros(size + every + LINE, dtype=np.float32))
        room = aligned(np.zeros(p.room + every + LINE, dtype=np.float32))
        dz = aligned(np.zeros(band * line + LANES + LINE, dtype=np.float32))
        for chunk in share(queue):
            sums, total = dw[chunk], db[chunk]
            sums[:] = 0
            total[:] = 0
            for n in range(chunk * images // chunks, (chunk + 1) * images // chunks):
                source, start = image, 0
                if in_place:
                    source, start = x, n * s.h * s.w * s.c
                else:
                    lay_out(x, x, won, n, image, s, 0, s.h, s.top, False)
                if p.run:
                    strips(image, room, s, p)
                    source = room
                for low in range(0, s.oh, band):
                    high = min(low + band, s.oh)
                    first = (n * s.oh + low) * line
                    _let_through(dy, won, first, (high - low) * line, dz)
                    add_pixels(dz, (high - low) * s.ow, s.f, total)
                    for g in range(s.groups):
                        for r in range(len(starts)):
                            for k in range(0, length, every):
                                here = start + g * p.group + starts[r] + k
                                for over in range(0, per_group, height):
                                    f = min(over, per_group - height)
                                    t = zeros(height, vectors)
                                    for i in range(low, high):
                                        pixel = (i - low) * line + g * per_group + f
                                        for j in range(s.ow):
                                            t = outer_won(
                                                t, dz, pixel, won, first + pixel,
                                                at, i * BYTES, source, here + j * p.step,
                                            )  # fmt: skip
                                            pixel += s.f
                                    # What the last tile computed again is not added again.
                                    to = (g * per_group + f) * taps + r * wide + k
                                    add_rows_from(t, sums, to, taps, over - f, every)

    return accumulate


@kernel
def unpack(queue: Array, sums: Array, taps: Array, dw: Array) -> None:
    """Add up the chunks' ``sums`` (chunks, F·wide) into ``dw`` (F, taps), which lie at ``taps``."""
    chunks, wide = len(sums), sums.shape[1] // len(dw)
    for f in share(queue):
        for k in range(f * wide, (f + 1) * wide, LANES):
            t = load(1, 1, sums[0], k, 0, 0)
            for chunk in range(1, chunks):
                t = t + load(1, 1, sums[chunk], k, 0, 0)
            store(t, sums[0], k, 0)
        for k in range(len(taps)):
            dw[f, k] = sums[0, f * wide + taps[k]]
