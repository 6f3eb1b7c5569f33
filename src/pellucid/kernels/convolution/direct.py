"""Convolution, with ReLU and max pooling if they follow: the twin of `pellucid.ops`, to 1e-5.

A tile of sums, ``height`` windows x ``vectors`` of filters, stays in the registers while the
windows' numbers pass by (see `pellucid.kernels.convolution.geometry`):

    z[i,j,f] = b[f] + Σ_k w[k,f] · x[tap_offset[k] + (i·S·W + j·S)·C]

Where each window lies, and where its sums go, is in a table, made by
`pellucid.kernels.convolution.phases`, so that a tile has windows of several rows if need be, and
the input gradient of a strided convolution is one more use of it. An image is copied in bands that
stay in the L2 cache, and all that a tile of filters needs lies together. While a tile multiplies,
it fetches some of what the next band will read, and the lines that it will be written to.

*Pooling in registers.* Windows of KxK that do not overlap are K² convolutions of stride K·S, one
for each cell q of the window. The tile has them all, and of its sums only the largest is written,
with the number of its cell, the argmax.

*Few filters* would leave lanes empty. These take the filters of the neighbouring windows, as more
filters of one wider window, whose other weights are 0.

*Gradients.* ``dw[k,f] = Σ_ij x[tap_offset[k] + (i·S·W + j·S)·C] · dz[i,j,f]`` has the same form,
with the windows as the terms of each sum; dx is the forward of dz, for each phase of the stride.
Both read dy and make dz of it on the way, so that dz is never written to memory. Where the channels
are few, `col2im` and `few_channels` are faster. After a max pooling `pooled_weight_gradient` and
`pooled_input_gradient` take their place.

All arrays are flat, float32 (``argmax``: uint8), channels-last, allocated by the engine. The
filters come as `pellucid.kernels.convolution.filters.pack` writes them: (groups, tiles, taps,
filters of a tile), padded with zeros, as is the bias. A task is one band of one image (forward) or
one chunk of images (weight gradient), for all filters or some tiles of them, and writes to its own
part of the output.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..gemm.precision import PRECISIONS
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    add_row,
    add_rows_from,
    entry,
    largest,
    load,
    load_at,
    load_part,
    outer_run,
    prefetch,
    prefetch_row,
    row,
    store,
    store_at,
    store_bytes_at,
    store_part,
    where_above_zero,
    zeros,
)
from .activation import on_tiles
from .arguments import Epilogue, Output, PartialSums, Split, Tiling
from .geometry import Sliding
from .layout import (
    LINE,
    GatedGradient,
    aligned,
    lay_out,
    lay_out_rows,
    mark_stopped,
    rows_between,
    transpose_matrix,
)
from .words import ADD_AT, pair_lines, pair_with_later

__all__ = ["add_pixels", "backward_weights", "forward"]


PIECE = LINE // LANES  # vectors in a cache line
# Fewest taps for which a tile fetches what it will be written to: with fewer, as many lines are
# under way as a core can wait for.
FETCHED = 64


@inlined
def _prefetch(y: Array, first: int, place: Array, row: int, height: int, width: int) -> None:
    """Fetch what the tile will be written to: memory that no cache holds takes as long to come."""
    for r in range(row, row + height):
        for k in range(0, width, LINE):
            prefetch(y, first + place[r] + k)


@cache
def forward(
    height: int, vectors: int, cells: int, run: int, functions: bool, precision: str = "float32"
) -> Any:
    """Return the kernel for tiles of ``height`` windows x ``vectors`` of filters.

    Each row is a window for each of the ``cells`` of a pooling, or a single one. The taps are in
    runs of ``run``. The activation is one of the ``functions``, or a pair of bounds. Images and
    filters are words of this ``precision``; runs of less than float32 have one.
    """
    tall, tile_width, size_of_tile = cells * height, vectors * LANES, height * vectors * LANES
    activated, add_at = on_tiles(height, vectors, functions=functions), ADD_AT[precision]

    @inlined
    def tile_over_taps(
        t: Any, x: Array, start: int, tap_offset: Array, taps: tuple[int, int],
        window_offset: Array, row: int, w: Array, width: int,
    ) -> Any:  # fmt: skip
        """Return ``t[r,:] + Σ_k x[start + tap_offset[k] + window_offset[row + r]] · w[k·width :]``.

        The first of the ``taps``, and their end, count from the beginning of ``w``.
        """
        for k in range(taps[0], taps[1], run):
            window, of_w = start + entry(tap_offset, k), k * width
            if run == 1:
                t = add_at(t, x, window, window_offset, row, w, of_w)
            else:
                t = outer_run(t, x, window, window_offset, row, w, of_w, width, run)
        return t

    @kernel
    def convolve(
        queue: Array, source: GatedGradient, filters: Array, bias: Array, out: Output, s: Sliding,
        tiling: Tiling, split: Split, epilogue: Epilogue,
    ) -> None:  # fmt: skip
        """Write ``out.y``, and ``out.argmax`` if it is kept."""
        tap_offset, first_tap, window_offset, place, first_tile, seen = tiling
        n_images, in_place, parts, per_vector = split
        bands, phases, per_group = len(seen), len(first_tap) - 1, s.f // s.groups
        most, line = 0, s.pitch * s.depth
        for band in range(bands):
            most = max(most, seen[band, 1] - seen[band, 0])
        padded = aligned(np.zeros((1 if in_place else most * line) + LINE, dtype=np.float32))
        scratch = aligned(np.empty(2 * size_of_tile + LINE, dtype=np.float32))
        sums, result = scratch[:size_of_tile], scratch[size_of_tile:]
        images, (out_y, out_argmax, plus) = source.numbers, out
        size, columns = s.oh * s.ow * s.f, len(bias) // tile_width
        channels_last = np.empty(size if epilogue.channels_first else 1, dtype=np.float32)
        for task in share(queue):
            part, n, band = task // (n_images * bands), task // bands % n_images, task % bands
            x, first = images, n * s.h * s.w * s.c
            if not in_place:
                x, first = padded, -seen[band, 0] * line
                lay_out_rows(source, n, padded, s, seen[band, 0], seen[band, 1])
            # What comes next lies where this band ends, if the next task is the next band.
            rows = rows_between(s, seen[band, 0], seen[band, 1] - 1)
            tiles = first_tile[(band + 1) * phases] - first_tile[band * phases]
            coming = (n * s.h + rows[1]) * s.w * s.c
            per_tile = (rows[1] - rows[0]) * s.w * s.c // (tiles * columns // parts) + 1
            y, image = out_y, n * size
            if epilogue.channels_first:
                y, image = channels_last, 0
            for column in range(part * columns // parts, (part + 1) * columns // parts):
                g = column * s.groups // columns
                f = (column - g * columns // s.groups) * tile_width
                count = min(per_vector * per_group - f, tile_width)
                w = filters[column * len(tap_offset) * tile_width :]
                start, of_filter = first + g * (s.c // s.groups), g * per_group + f
                for phase in range(phases):
                    begin, end = band * phases + phase, band * phases + phase + 1
                    far = first_tap[phase + 1] - first_tap[phase] >= FETCHED
                    for tile in range(first_tile[begin], first_tile[end]):
                        if far:
                            to = n * size + of_filter
                            _prefetch(out_y, to, place, tile * height, height, tile_width)
                        for k in range(coming, coming + per_tile, LINE):
                            prefetch_row(PIECE, images, k)
                        coming += per_tile
                        t = tile_over_taps(
                            zeros(tall, vectors), x, start, tap_offset,
                            (first_tap[phase], first_tap[phase + 1]), window_offset, tile * tall,
                            w, tile_width,
                        )  # fmt: skip
                        z, argmax = largest(t, cells)
                        z = add_row(z, bias, column * tile_width)
                        if cells > 1 and epilogue.keep_argmax:
                            argmax = mark_stopped(argmax, z, epilogue.activation.a == 0)
                            to = n * size + of_filter
                            store_bytes_at(argmax, out_argmax, to, place, tile * height, count)
                        if cells == 1 and len(plus) > 0:
                            to = n * size + of_filter
                            z = z + load_at(height, vectors, plus, to, place, tile * height, count)
                        z = activated(z, epilogue.activation, sums, result)
                        store_at(z, y, image + of_filter, place, tile * height, count)
            if epilogue.channels_first:
                begin = place[first_tile[band] * height] // s.f
                pixels = place[first_tile[band + 1] * height - 1] // s.f + per_vector - begin
                transpose_matrix(
                    channels_last, begin * s.f, pixels, s.f, out_y, n * size + begin, s.oh * s.ow
                )

    return convolve


@cache
def backward_weights(height: int, vectors: int, precision: str = "float32") -> Any:
    """Return the kernel for tiles of ``height`` taps x ``vectors`` of filters.

    In a ``precision`` of two numbers a word, two rows of dz share their words, and so do the rows
    of the image that these see.
    """
    tile_width, add_at = vectors * LANES, ADD_AT[precision]
    per_word = PRECISIONS[precision].per_word

    @inlined
    def tile_over_windows(
        x: Array, first: int, dz: Array, tap_offset: Array, tap: int, rows: int, s: Sliding
    ) -> Any:
        """Return ``Σ_ij x[first + (i·S·W + j·S)·C + tap_offset[tap + r]] · dz[i,j]``."""
        line, step = per_word * s.step_h * s.pitch * s.depth, s.step_w * s.depth
        t = zeros(height, vectors)
        for i in range((rows + per_word - 1) // per_word):
            for j in range(s.ow):
                window = first + i * line + j * step
                t = add_at(t, x, window, tap_offset, tap, dz, (i * s.ow + j) * tile_width)
        return t

    @inlined
    def add_band(
        image: tuple[Array, int], dy: GatedGradient, band: tuple[int, int, bool], dz: Array,
        out: tuple[Array, Array], tap_offset: Array, s: Sliding, columns: tuple[int, int],
        ahead: Any,
    ) -> None:  # fmt: skip
        """Add what a band of dz contributes to the sums of some filters.

        Its windows are in the ``image`` from a number on. A ``band`` is its first pixel, its rows,
        and whether it begins the sums of filters and bias, which are ``out``. The first of the
        ``columns`` of tiles, and their end, count through all groups. Each tile fetches some of
        what lies ``ahead``.
        """
        (x, first), (pixel, rows, begins), (sums, bias) = image, band, out
        taps, per_group, channels = len(tap_offset), s.f // s.groups, s.c // s.groups
        width, pixels = len(sums) // (s.groups * taps), rows * s.ow
        gradient, images, of_gradient, gradients, of_image, numbers = ahead
        for column in range(columns[0], columns[1]):
            g, f = column * tile_width // width, column * tile_width % width
            of_filter, count = g * per_group + f, min(tile_width, per_group - f)
            _gather_columns(dy, pixel * s.f + of_filter, s.f, count, dz, pixels, vectors)
            if begins:
                bias[of_filter : of_filter + count] = 0
            add_pixels(dz, pixels, tile_width, bias[of_filter : of_filter + count])
            if per_word == 2:
                pair_lines(dz, rows, s.ow * tile_width)
            for block in range(0, taps, height):
                for k in range(of_gradient, of_gradient + gradients, LINE):
                    prefetch_row(PIECE, gradient, k)
                for k in range(of_image, of_image + numbers, LINE):
                    prefetch_row(PIECE, images, k)
                of_gradient, of_image = of_gradient + gradients, of_image + numbers
                k = min(block, taps - height)
                t = tile_over_windows(x, first + g * channels, dz, tap_offset, k, rows, s)
                to = (g * taps + k) * width + f
                if begins:
                    store(t, sums, to, width)
                else:
                    # Rows that the overlapping last tile computes once more are skipped.
                    add_rows_from(t, sums, to, width, block - k, tile_width)

    @kernel
    def accumulate(
        queue: Array, x: GatedGradient, dy: GatedGradient, sums: PartialSums, tap_offset: Array,
        s: Sliding, in_place: bool, band: int, parts: int,
    ) -> None:  # fmt: skip
        """Write each chunk's sums of the gradients of filters and bias.

        Of a ``band`` of rows of dz, the columns of a tile of filters are laid out at a time, and
        stay in the nearest cache while all taps use them. A task is one of the ``parts`` of these
        columns of a chunk.
        """
        all_weights, all_bias, bounds = sums
        numbers, line, gradient = x.numbers, s.step_h * s.pitch * s.depth, dy.numbers
        size = 1 if in_place else s.rows * s.pitch * s.depth
        padded = aligned(np.zeros(size + LINE, dtype=np.float32))
        # What no window sees must not be multiplied by a 0 below dz: it may be infinite.
        seen = (s.oh - 1) * line + (s.ow - 1) * s.step_w * s.depth + tap_offset[-1] + 1
        dz = aligned(np.empty(band * s.ow * tile_width + LINE, dtype=np.float32))
        columns = s.groups * ((s.f // s.groups + tile_width - 1) // tile_width)
        tiles = columns // parts * ((len(tap_offset) + height - 1) // height)
        of_image = s.h * s.w * s.c // (tiles * ((s.oh + band - 1) // band)) + 1
        of_gradient = band * s.ow * s.f // tiles + 1
        for task in share(queue):
            chunk, part = task // parts, task % parts
            weights, bias = all_weights[chunk], all_bias[chunk]
            own = part * columns // parts, (part + 1) * columns // parts
            if part == 0 and bounds[chunk] == bounds[chunk + 1]:
                weights[:] = 0
                bias[:] = 0
            for n in range(bounds[chunk], bounds[chunk + 1]):
                image, start, coming = padded, 0, (n + 1) * s.h * s.w * s.c
                if in_place:
                    image, start = numbers, n * s.h * s.w * s.c
                else:
                    if per_word == 2:
                        padded[: max(0, s.top) * s.pitch * s.depth] = 0  # where words were
                    lay_out(x, n, padded, s, 0, s.h, s.top)
                    if per_word == 2:
                        pair_with_later(padded, size, line, seen)
                for low in range(0, s.oh, band):
                    rows, pixel = min(band, s.oh - low), (n * s.oh + low) * s.ow
                    add_band(
                        (image, start + low * line), dy,
                        (pixel, rows, n == bounds[chunk] and low == 0), dz, (weights, bias),
                        tap_offset, s, own,
                        (gradient, numbers, (pixel + rows * s.ow) * s.f, of_gradient, coming,
                         of_image),
                    )  # fmt: skip
                    coming += tiles * of_image

    return accumulate


@inlined
def _gather_columns(
    dy: GatedGradient, first: int, depth: int, count: int, y: Array, pixels: int, vectors: int
) -> None:
    """Copy ``count`` numbers of each pixel to whole ``vectors``, which lie one after the other."""
    x, gate, gated = dy.numbers, dy.gate, dy.gated
    for p in range(pixels):
        for c in range(vectors):
            at, some = first + p * depth + c * LANES, count - c * LANES
            t = load_part(x, at, some)
            if gated:
                t = where_above_zero(t, load_part(gate, at, some), np.float32(0))
            store(t, y, (p * vectors + c) * LANES, 0)


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
