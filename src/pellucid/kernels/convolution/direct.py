"""Convolution, with ReLU and max pooling if they follow: the twin of `pellucid.ops`, to 1e-5.

A tile of sums, ``height`` windows of one image row x ``vectors`` of filters, stays in the registers
while the windows' runs pass by (see `pellucid.kernels.convolution.geometry`):

    z[i,j,f] = b[f] + Σ_r Σ_k w[r,k,f] · x[at[r] + (i·S·W + j·S)·C + k]

*Pooling in the registers.* Windows of KxK that do not overlap are K² convolutions of stride K·S,
one for each cell q of the window. The tile has them all, and of its sums only the largest are
written, and the number of the cell that won.

*Few filters* would leave lanes empty. There go those of the windows beside, as more filters of one
wider window: what is no part of theirs counts 0.

*Gradients.* ``dw[r,k,f] = Σ_ij x[at[r] + (i·S·W + j·S)·C + k] · dz[i,j,f]`` has the same form, with
the windows to sum over; dx is the forward of dz with flipped filters, as in ops/conv.py. Both read
dy and make dz of it on the way, so that dz is never written to memory. Where the channels are few
or a stride would leave gaps in dz, `backward_images` gives every window's share of dx back instead.
Before a max pooling, `pooled_weight_gradient` and `pooled_input_gradient` take their place.

All arrays are flat, float32 (``won``: uint8), channels-last, allocated by the engine. The filters
come as `pack` writes them: (groups, taps, F), F filled up with zeros to whole tiles, as is the
bias. A task is one band of one image (forward) or one chunk of images (weight gradient), and writes
to places of its own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, REGISTERS, kernel
from ..pool.threads import share
from ..simd import (
    add_row,
    add_rows_from,
    largest,
    load,
    load_part,
    outer,
    outer_at,
    prefetch,
    relu,
    row,
    store_bytes,
    store_first,
    store_part,
    where_above_zero,
    zeros,
)
from .geometry import LINE, STOPPED, Sliding, aligned, lay_out, take_out, turn

__all__ = [
    "add_pixels",
    "backward_images",
    "backward_weights",
    "forward",
    "pack",
    "pack_rows",
    "tile_shape",
    "unpack",
    "whole_vectors",
]


# What tiles there are: every one is a kernel to compile. Rows of 28, 24, 16, 14, 13, 10, 8 outputs
# and so on are whole numbers of tiles, or nearly.
HEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 28)
WIDTHS = (1, 2, 4)


def whole_vectors(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def tile_shape(rows: int, columns: int, cells: int = 1, most: int = REGISTERS) -> tuple[int, int]:
    """Return the tile, height x vectors, that covers ``rows`` x ``columns`` in the fewest cycles.

    One step of a tile takes a cycle for every two products, two loads, or half a vector from beyond
    the nearest cache, and never less than the four after which a sum is there for the next step.
    With a pooling, the tile has so many ``cells`` of each row. ``most`` is how many vectors it may
    have.
    """
    wide = -(-columns // LANES)

    def cycles(tile: tuple[int, int]) -> tuple[float, int]:
        (height, vectors), tall = tile, tile[0] * cells
        tiles = -(-rows // height) * -(-wide // vectors)
        return tiles * max(tall * vectors, tall + vectors, 4 * vectors, 8), -height * vectors

    tiles = [
        (height, vectors)
        for vectors in WIDTHS
        for height in HEIGHTS
        if vectors <= wide and height <= rows and height * cells * vectors <= most
        # One or two more registers hold what the row is multiplied with.
        if (height * cells + 1) * vectors < REGISTERS - 2 + (vectors == 1)
    ]
    return min(tiles, key=cycles, default=(1, 1))


@cache
def forward(height: int, vectors: int, cells: int) -> Any:
    """Return the kernel for tiles of ``height`` windows x ``vectors`` of filters.

    Each is a window for every one of so many ``cells`` of a pooling, or a single one.
    """
    tall = cells * height

    @kernel
    def convolve(
        queue: Array, x: Array, gate: Array, won: Array, w: Array, b: Array, y: Array, arg: Array,
        at: Array, over: Array, s: Sliding, in_place: bool, bands: int, beside: int,
        rectified: bool, rectify: bool, turned: bool,
    ) -> None:  # fmt: skip
        """Write ``y``, its channels first if ``turned``, and ``arg``, if it has room.

        What a window sees is ``at`` these places; those of a tile's rows lie ``over`` them. In the
        lanes of a row, so many windows ``beside`` each other have their filters.
        """
        taps, wide = len(at), len(b) // s.groups
        per_group, channels = s.f // s.groups, s.c // s.groups
        line, step = s.step_h * s.pitch * s.depth, s.step_w * s.depth
        xs = aligned(
            np.zeros((1 if in_place else s.rows * s.pitch * s.depth) + LINE, dtype=np.float32)
        )
        size = s.oh * s.ow * s.f
        ys = np.empty(size if turned else 1, dtype=np.float32)
        for task in share(queue):
            n, band = task // bands, task % bands
            source, start = xs, 0
            if in_place:
                source, start = x, n * s.h * s.w * s.c
            else:
                lay_out(x, gate, won, n, xs, s, 0, s.h, s.top, rectified)
            target, image = y, n * size
            if turned:
                target, image = ys, 0
            low, high = band * s.oh // bands, (band + 1) * s.oh // bands
            for g in range(s.groups):
                for f in range(0, per_group, vectors * LANES):
                    count = min(beside * per_group - f, vectors * LANES)
                    for i in range(low, high):
                        if turned:  # it is written in strides then, which no cache foresees
                            for k in range(i * s.ow * s.f, (i + 1) * s.ow * s.f, LINE):
                                prefetch(y, n * size + k)
                        for block in range(0, s.ow, height * beside):
                            # The last tile of a row reaches back, and computes some again.
                            j = min(block, s.ow - height * beside)
                            here = start + i * line + j * step + g * channels
                            t = zeros(tall, vectors)
                            for k in range(taps):
                                tap = (g * taps + k) * wide + f
                                t = outer_at(t, source, here + at[k], over, 0, w, tap)
                            best, winner = largest(t, cells)
                            best = add_row(best, b, g * wide + f)
                            to = (i * s.ow + j) * s.f + g * per_group + f
                            if cells > 1 and len(arg) > 1:
                                if rectify:
                                    winner = where_above_zero(winner, best, np.float32(STOPPED))
                                store_bytes(winner, arg, n * size + to, beside * s.f, count)
                            if rectify:
                                best = relu(best)
                            store_first(best, target, image + to, beside * s.f, count)
            if turned:
                first, pixels = low * s.ow, s.oh * s.ow
                turn(ys, first * s.f, (high - low) * s.ow, s.f, y, n * size + first, pixels)

    return convolve


@cache
def backward_weights(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` taps x ``vectors`` of filters."""

    @kernel
    def accumulate(
        queue: Array, x: Array, dy: Array, gate: Array, won: Array, dw: Array, db: Array, at: Array,
        s: Sliding, d: Sliding, in_place: bool, images: int, band: int, rectified: bool,
    ) -> None:  # fmt: skip
        """Write each chunk's share of the gradients into ``dw[chunk]`` and ``db[chunk]``.

        A ``band`` of rows of dy is laid out at a time, and stays near while all taps pass over it.
        """
        chunks, taps = len(db), len(at)
        per_group, channels = s.f // s.groups, s.c // s.groups
        wide = dw.shape[1] // (s.groups * taps)
        line, step, every = s.step_h * s.pitch * s.depth, s.step_w * s.depth, vectors * LANES
        xs = aligned(
            np.zeros((1 if in_place else s.rows * s.pitch * s.depth) + LINE, dtype=np.float32)
        )
        dz = aligned(np.zeros(band * d.pitch * d.depth + vectors * LANES + LINE, dtype=np.float32))
        for chunk in share(queue):
            sums, total = dw[chunk], db[chunk]
            sums[:] = 0
            total[:] = 0
            for n in range(chunk * images // chunks, (chunk + 1) * images // chunks):
                source, start = xs, 0
                if in_place:
                    source, start = x, n * s.h * s.w * s.c
                else:
                    lay_out(x, gate, won, n, xs, s, 0, s.h, s.top, False)
                for low in range(0, d.h, band):
                    high = min(low + band, d.h)
                    lay_out(dy, gate, won, n, dz, d, low, high, -low, rectified)
                    add_pixels(dz, (high - low) * d.pitch, d.depth, total)
                    for g in range(s.groups):
                        for f in range(0, per_group, vectors * LANES):
                            for over in range(0, taps, height):
                                k = min(over, taps - height)
                                t = zeros(height, vectors)
                                for i in range(low, high):
                                    here = start + i * line + g * channels
                                    there = (i - low) * d.pitch * d.depth + g * per_group + f
                                    for j in range(d.pitch):
                                        window, pixel = here + j * step, there + j * d.depth
                                        t = outer_at(t, source, window, at, k, dz, pixel)
                                # What the last tile computed again is not added again.
                                add_rows_from(
                                    t, sums, (g * taps + k) * wide + f, wide, over - k, every
                                )

    return accumulate


@cache
def backward_images(height: int, vectors: int) -> Any:
    """Return the kernel for tiles of ``height`` windows x ``vectors`` of the numbers of a run."""

    @kernel
    def give_back(
        queue: Array, dy: Array, gate: Array, won: Array, w: Array, dx: Array, at: Array,
        s: Sliding, d: Sliding, length: int, rectified: bool,
    ) -> None:  # fmt: skip
        """Write ``dx``: each window's share ``Σ_f dz[i,j,f] · w[r,f,k]`` added to where it looked.

        This is the textbook's ``col2im(dz·W)``, a run at a time. A task is an image.
        """
        runs, per_group, channels = len(at), s.f // s.groups, s.c // s.groups
        wide = w.size // (s.groups * runs * per_group)
        line, step, every = s.step_h * s.pitch * s.depth, s.step_w * s.depth, vectors * LANES
        room = np.empty(s.rows * s.pitch * s.depth, dtype=np.float32)
        dz = aligned(np.zeros(d.rows * d.pitch * d.depth + LINE, dtype=np.float32))
        for n in share(queue):
            room[:] = 0
            lay_out(dy, gate, won, n, dz, d, 0, d.h, 0, rectified)
            for g in range(s.groups):
                for r in range(runs):
                    for k in range(0, length, every):
                        for i in range(d.rows):
                            for over in range(0, d.pitch, height):
                                j = min(over, d.pitch - height)
                                pixel = (i * d.pitch + j) * d.depth + g * per_group
                                row = (g * runs + r) * per_group * wide + k
                                t = zeros(height, vectors)
                                for f in range(per_group):
                                    t = outer(t, dz, pixel + f, d.depth, w, row + f * wide)
                                here = i * line + j * step + at[r] + g * channels + k
                                count = min(every, length - k)
                                add_rows_from(t, room, here, step, over - j, count)
            take_out(room, n, dx, s)

    return give_back


@kernel
def add_pixels(x: Array, pixels: int, depth: int, total: Array) -> None:
    """Add every pixel's numbers to ``total``, which may be shorter than a pixel is deep."""
    whole = pixels - pixels % 4
    for f in range(0, len(total), LANES):
        t = zeros(4, 1)  # four sums, for each has to wait for itself
        for p in range(0, whole, 4):
            t = t + load(4, 1, x, p * depth + f, depth, 0)
        u = (row(t, 0) + row(t, 1)) + (row(t, 2) + row(t, 3))
        for p in range(whole, pixels):
            u = u + load(1, 1, x, p * depth + f, 0, 0)
        count = min(LANES, len(total) - f)
        store_part(u + load_part(total, f, count), total, f, count)


@kernel
def pack(w: Array, groups: int, flip: bool, beside: int, step: int, out: Array) -> None:
    """Write the filters (F, C/groups, FH, FW) into ``out`` (groups, FH, FW, C, F) for `forward`.

    With ``flip``, those of the adjoint: turned by half a turn, filters and channels exchanged. All
    are there once for each of the windows ``beside`` each other, by so many ``step``s further on.
    """
    filters, channels, fh, fw = w.shape
    per_group = filters // groups
    for g in range(groups):
        for m in range(beside):
            for u in range(fh):
                for v in range(fw):
                    to = out[g, u, m * step + v]
                    if flip:
                        for f in range(per_group):
                            for c in range(channels):
                                value = w[g * per_group + f, c, fh - 1 - u, fw - 1 - v]
                                to[f, m * channels + c] = value
                    else:
                        for c in range(channels):
                            for f in range(per_group):
                                to[c, m * per_group + f] = w[g * per_group + f, c, u, v]


@kernel
def pack_rows(w: Array, groups: int, out: Array) -> None:
    """Write the filters (F, C/groups, FH, FW) into ``out`` (groups, FH, FW, F, C): a run's rows.

    If a run is a whole row of the window, ``out`` is (1, FH, 1, F, FW·C).
    """
    filters, channels, fh, fw = w.shape
    per_group, whole = filters // groups, out.shape[2] == 1
    for g in range(groups):
        for f in range(per_group):
            for u in range(fh):
                for v in range(fw):
                    for c in range(channels):
                        value = w[g * per_group + f, c, u, v]
                        if whole:
                            out[g, u, 0, f, v * channels + c] = value
                        else:
                            out[g, u, v, f, c] = value


@kernel
def unpack(queue: Array, sums: Array, dw: Array) -> None:
    """Add up the chunks' ``sums`` (chunks, groups, FH, FW, C, F) into ``dw`` (F, C, FH, FW)."""
    groups, fh, fw, channels = sums.shape[1:5]
    per_group = len(dw) // groups
    for task in share(queue):
        g, c = task // channels, task % channels
        for u in range(fh):
            for v in range(fw):
                for f in range(per_group):
                    total = np.float32(0)
                    for chunk in range(len(sums)):
                        total += sums[chunk, g, u, v, c, f]
                    dw[g * per_group + f, c, u, v] = total
