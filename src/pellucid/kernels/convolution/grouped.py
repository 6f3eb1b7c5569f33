"""Convolution with few channels a group, such as one (depthwise): the twin of `pellucid.ops`.

    z[i,j,f] = b[f] + Σ_uvk w[u,v,k,f] · x[i·S+u-P, j·S+v-P, f // made · given + k]

A vector holds outputs of one pixel: of as many whole groups, of ``given`` channels and ``made``
filters, as have room in it. Their channels lie side by side in the vector that is read, from where
lanes are repeated, so that no zeros are multiplied. A tile of sums, two rows of some pixels, stays
in registers while all taps pass over it. It is bound by loads, and by shuffles that repeat lanes: a
pixel that is read, or repeated, serves both rows, and with a run of taps all of these.

Where all that a tile reads lies within the image, it is read in place, and what the next tiles need
is fetched ahead. With runs of taps, the image may lack a narrow frame: rows that are not there are
left out, and the first and last pixels of a row are chosen from a vector of zeros instead. Other
tiles along the border read *strips*: a part of the image, framed by zeros, one vector of channels
after another (see `pellucid.kernels.convolution.rectangles`).

*The input gradient* has the same form, and asks for each cell which windows read it. With a stride
S, cells that are S apart meet the same taps: they are a *phase*, and there are S² of them. The
forward pass has one.

    dx[a+S·i, b+S·j, c] = Σ w[u,v,c] · dz[i+(a+P-u)/S, j+(b+P-v)/S, c]   where S divides both

All arrays are flat, float32, channels-last, allocated by the engine. The filters are packed as
(vectors, FH·FW, given, LANES), with zeros in the lanes after the last filter of a vector; the bias
is followed by a vector of zeros. A task is some channels of a rectangle of one image, and writes to
these numbers only. The benchmark is ``python benchmarks/layers.py``.

See also `pellucid.kernels.convolution.grouped_gradient`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    SECOND,
    add_groups,
    add_vector,
    entry,
    flat,
    load,
    load_part,
    prefetch_tile,
    row,
    rows,
    scatter,
    slide,
    store_within,
    where_above_zero,
    zeros,
)
from .activation import Activation, on_tiles
from .layout import LINE, GatedGradient, aligned
from .rectangles import TOGETHER, Cut, Reading

__all__ = ["Packed", "copy_strips", "forward", "groups_per_vector", "rectangle"]

# Numbers that are read and written: with more, they have left the caches when their turn comes, and
# are fetched ahead.
FAR = 2**22
LONG = 512  # channels: the lines of a longer pixel the processor itself foresees
FOLLOWED = 5  # rows that a tile reads, up to which the processor itself foresees the next ones


class Packed(NamedTuple):
    """The filters, the bias, and the activation that follows."""

    filters: Array
    bias: Array
    activation: Activation


def groups_per_vector(given: int, made: int) -> int:
    """Return how many groups of ``given`` channels and ``made`` filters share a vector."""
    return LANES // max(given, made)


@inlined
def rectangle(rectangles: Array, which: int) -> Any:
    """Return first row, end, first column, end, and the vectors of a rectangle read in place."""
    at = 5 * which
    bounds = entry(rectangles, at), entry(rectangles, at + 1)
    sides = entry(rectangles, at + 2), entry(rectangles, at + 3)
    return bounds, sides, entry(rectangles, at + 4)


@inlined
def taps_within(taps: Array, phases: Array, at: int, top: int, bottom: int) -> Any:
    """Return where a phase's taps of the upper row, of both, and of the lower begin and end.

    Those whose rows do not lie between the ``top`` and the ``bottom`` of the image are left out.
    """
    upper, both = entry(phases, at), entry(phases, at + 1)
    lower, end = entry(phases, at + 2), entry(phases, at + 3)
    return (
        _within(taps, upper, both, top, bottom),
        _within(taps, both, lower, top, bottom),
        _within(taps, lower, end, top, bottom),
    )


@inlined
def _within(taps: Array, first: int, end: int, top: int, bottom: int) -> Any:
    while first < end and entry(taps, first) < top:
        first += 3
    while first < end and entry(taps, end - 3) >= bottom:
        end -= 3
    return first, end


@kernel
def copy_strips(source: Any, at: Any, k: int, per: int, strips: Array, size: int, of: Any) -> None:
    """Copy a rectangle of an image, framed by zeros, into `TOGETHER` strips of ``size`` numbers.

    Strip v has ``LANES`` channels from k + v·per on, as far as there are any.
    """
    (x, _, gated), (n, first, left), (h, w, c, height, pitch) = source, at, of
    whole = c - k >= (TOGETHER - 1) * per + LANES and not gated
    before = min(max(0, -left), pitch)
    end = max(before, min(pitch, w - left))
    for r in range(height):
        to, i = r * pitch * LANES, first + r
        inside = 0 <= i < h
        _clear(strips, to, size, 0, before if inside else pitch)
        begin = ((n * h + i) * w + left + before) * c + k
        if inside and whole:
            for j in range(before, end):
                t = load(1, TOGETHER, x, begin + (j - before) * c, 0, per)
                scatter(t, strips, to + j * LANES, 0, size)
        elif inside:
            for v in range(min(TOGETHER, (c - k + per - 1) // per)):
                place, columns = to + v * size, (before, end)
                _copy_vector(source, begin + v * per, c, c - k - v * per, strips, place, columns)
        if inside:
            _clear(strips, to, size, end, pitch)


@inlined
def _clear(strips: Array, to: int, size: int, first: int, last: int) -> None:
    """Write zeros to these pixels of a row of all strips."""
    for j in range(first, last):
        scatter(zeros(1, TOGETHER), strips, to + j * LANES, 0, size)


@inlined
def _copy_vector(
    source: Any, at: int, c: int, count: int, strip: Array, to: int, columns: Any
) -> None:
    """Copy a row of one vector, of which there may be only a part, and mask it by the gate."""
    x, gate, gated = source
    for j in range(columns[0], columns[1]):
        t = load_part(x, at, count)
        if gated:
            t = where_above_zero(t, load_part(gate, at, count), np.float32(0))
        scatter(t, strip, to + j * LANES, 0, 0)
        at += c


@cache
def forward(width: int, run: int, step: int, given: int, made: int, functions: bool) -> Any:
    """Return the kernel for tiles of two rows of ``width`` pixels.

    An entry of the taps is a ``run`` of as many in one row, for pixels ``step`` apart, or a single
    one. A group has ``given`` channels and ``made`` filters. The activation is one of the
    ``functions``, or a pair of bounds.
    """
    groups, size_of_tile = groups_per_vector(given, made), 2 * width * LANES
    per, per_made = groups * given, groups * made
    activated = on_tiles(2, width, functions=functions)
    new_rows, new_columns = 2 * step, width * step

    @inlined
    def add_tap(t: Any, image: Any, pixel: int, filters: Array, k: int, p: int) -> Any:
        """Return ``t`` with the products of a tap, or of a run of taps, added."""
        u = load(1, width, image[0], image[1], 0, pixel)
        return add_groups(t, u, given, made, filters, k, p)

    @inlined
    def add_run(t: Any, image: Any, pixel: int, filters: Array, k: int, p: int) -> Any:
        """Return ``t`` with the products of a tap, or of a run of taps, added."""
        x, at, (left, right) = image
        return slide(t, x, at, pixel, run, step, filters, k, p, left, right, given, made)

    add = add_tap if run == 1 else add_run

    @inlined
    def tile_over_taps(t: Any, image: Any, taps: Array, phase: Any, filters: Array, s: Any) -> Any:
        """Return ``t`` with all products added: of its first row, of both, of the second."""
        (x, at, line, pixel, tap_pixel), sides = image
        (upper, both, lower), k = phase
        for q in range(upper[0], upper[1], 3):
            place = (x, at + entry(taps, q) * line + entry(taps, q + 1) * pixel, sides)
            one = add(row(t, 0), place, tap_pixel, filters, k + entry(taps, q + 2), 0)
            t = rows((one, row(t, 1)))
        for q in range(both[0], both[1], 3):
            place = (x, at + entry(taps, q) * line + entry(taps, q + 1) * pixel, sides)
            t = add(t, place, tap_pixel, filters, k + entry(taps, q + 2), s.between)
        for q in range(lower[0], lower[1], 3):
            place = (x, at + entry(taps, q) * line + entry(taps, q + 1) * pixel, sides)
            one = add(row(t, 1), place, tap_pixel, filters, k + entry(taps, q + 2), 0)
            t = rows((row(t, 0), one))
        return t

    @inlined
    def write_pixels(
        image: Any, vectors: Any, own: Any, packed: Any, y: Any, s: Any, taps: Array
    ) -> None:
        """Write a tile of each vector of channels."""
        ((x, at, line, pixel, deep, ahead), sides), (numbers, to, high) = image, y
        arrays, activation, per_filter = packed
        filters, bias, sums, result = arrays
        down, across = s.apart_h * s.ow * s.f, s.apart_w * s.f
        for k in range(vectors[0], vectors[1]):
            if ahead:
                if s.rows > FOLLOWED:
                    below = at + s.rows * line
                    prefetch_tile(SECOND, new_rows, new_columns, x, below, line, pixel)
                later = to + k * per_made + 2 * down
                prefetch_tile(SECOND, 2, width, numbers, later, down, across)
            t = add_vector(zeros(2, width), bias, k * per_made)
            place = ((x, at, line, pixel, pixel if run > 1 else s.step_w * pixel), sides)
            t = tile_over_taps(t, place, taps, (own, k * per_filter), filters, s)
            t = activated(t, activation, sums, result)
            lanes = min(per_made, s.f - k * per_made)
            if lanes == LANES and high > 1:
                scatter(t, numbers, to + k * per_made, down, across)
            else:
                store_within(t, numbers, to + k * per_made, down, across, high, width, lanes)
            at += deep

    @inlined
    def write_tiles(
        image: Any, bounds: Any, vectors: Any, packed: Any, y: Any, s: Any, tables: Any
    ) -> None:
        """Write the tiles of a rectangle, of each phase."""
        (x, start, line, pixel, deep, ahead), (top, side, h, w) = image
        ((first, last), (left, right)), (taps, phases) = bounds, tables
        for i in range(first, last, 2):
            for phase in range(0, len(phases), 6):
                a, e = entry(phases, phase), entry(phases, phase + 1)
                high = (s.oh - a + s.apart_h - 1) // s.apart_h - i
                wide = min(right, (s.ow - e + s.apart_w - 1) // s.apart_w)
                down = (i - first) * s.step_h
                own = taps_within(taps, phases, phase + 2, -top - down, h - top - down)
                line_of_y = ((y[1] * s.oh + a + i * s.apart_h) * s.ow + e) * s.f
                for block in range(left, wide if high > 0 else left, width):
                    j = min(block, wide - width)  # the last tile of a row overlaps the one before
                    across = (j - left) * s.step_w
                    at = start + down * line + across * pixel
                    sides = (-side - across, w - side - across)
                    place = (y[0], line_of_y + j * s.apart_w * s.f, high)
                    tile = ((x, at, line, pixel, deep, ahead), sides)
                    write_pixels(tile, vectors, own, packed, place, s, taps)

    @kernel
    def convolve(
        queue: Array, source: GatedGradient, packed: Packed, y: Array, s: Reading, cut: Cut
    ) -> None:
        """Write ``y``."""
        x, images = source.numbers, (source.numbers, source.gate, source.gated)
        scratch = aligned(np.empty(2 * size_of_tile + LINE, dtype=np.float32))
        sums, result = scratch[:size_of_tile], scratch[size_of_tile:]
        arrays = (packed.filters, packed.bias, sums, result)
        tables, rectangles = (s.taps, flat(s.phases)), flat(cut.rectangles)
        vectors, count, size = (s.f + per_made - 1) // per_made, len(cut.rectangles), cut.strip
        what = (arrays, packed.activation, len(packed.filters) // vectors)
        strip = aligned(np.empty(TOGETHER * size + LINE, dtype=np.float32))
        ahead = s.step_h == s.step_w == step and x.size + y.size > FAR and s.c <= LONG
        for task in share(queue):
            n, part, which = task // (count * cut.parts), task // count % cut.parts, task % count
            (first, last), (left, right), together = rectangle(rectangles, which)
            end = (part + 1) * vectors // cut.parts
            top, side = first * s.step_h - s.top, left * s.step_w - s.left
            pitch = (right - left - 1) * s.step_w + s.columns
            for v in range(part * vectors // cut.parts, end, together if together else TOGETHER):
                if together:
                    at = ((n * s.h + top) * s.w + side) * s.c + v * per
                    image = ((x, at, s.w * s.c, s.c, per, ahead), (top, side, s.h, s.w))
                else:
                    height = (last - first - 1) // 2 * 2 * s.step_h + s.rows
                    of = (s.h, s.w, s.c, height, pitch)
                    copy_strips(images, (n, top, side), v * per, per, strip, size, of)
                    # What lies beyond the image is there.
                    image = ((strip, 0, pitch * LANES, LANES, size, False), (0, 0, height, pitch))
                those = (v, min(end, v + (together if together else TOGETHER)))
                bounds = ((first, last), (left, right))
                write_tiles(image, bounds, those, what, (y, n), s, tables)

    return convolve
