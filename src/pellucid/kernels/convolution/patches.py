"""Images cut into the patches of Winograd's convolution, and outputs put together from them.

A patch's pixels are ``step`` apart, a dilation: then an image is step_h·step_w images that
interleave, its *phases*, and each of them is cut into down x across patches. Patches are numbered
by image, phase, row and column.

Places of patches lie in memory place by place, ``plane_stride`` numbers apart, and within a place
patch by patch; or every ``depth`` channels are a *panel*, which has all places of all patches. No
image is copied: a patch is read where it lies, or made of dy on the way.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..simd import (
    add_vector,
    interleave,
    keep_larger,
    load,
    load_bytes_between,
    load_rows_between,
    load_within,
    prefetch,
    prefetch_row,
    relu,
    row,
    row_sum,
    rows,
    store,
    store_bytes_within,
    store_within,
    strided,
    transpose,
    where_above_zero,
    where_equal,
    zeros,
)
from .arguments import Output
from .geometry import Sliding
from .layout import LINE, GatedGradient, mark_stopped
from .winograd_transforms import PATCH, b_transposed, values, values_transposed

__all__ = [
    "Block",
    "Patches",
    "cut_gradients",
    "cut_images",
    "fetch_outputs",
    "fetch_pixels",
    "part_of",
    "patch_count",
    "patches",
    "place_of",
    "write",
]

PIECE = LINE // LANES  # vectors in a cache line
ONE, TWO, THREE = np.float32(1), np.float32(2), np.float32(3)


class Patches(NamedTuple):
    """How images (h, w, c) are cut into patches, and outputs (oh, ow, f) put together: integers."""

    h: int
    w: int
    c: int
    cell: int  # each number of the image belongs to a square of cell x cell, a pooling window
    top: int  # the first window begins at pixel (-top, -left)
    left: int
    step_h: int  # from pixel to pixel of a patch
    step_w: int
    down: int  # patches of a phase
    across: int
    depth: int  # numbers of a patch at each place
    oh: int
    ow: int
    f: int
    groups: int


class Block(NamedTuple):
    """The patches ``first`` to ``last`` of all images, and of some of their channels."""

    channel: int  # the first one
    channels: int
    first: int
    last: int


def patches(s: Sliding, step: tuple[int, int], outputs: int, pool: int, depth: int) -> Patches:
    """Return the patches, each of ``outputs`` x ``outputs``, of windows that slide like this.

    ``step`` is the dilation; ``pool`` x ``pool`` outputs become one.
    """
    of_phase = (-(-side * pool // k) for side, k in zip((s.oh, s.ow), step, strict=True))
    down, across = (-(-side // outputs) for side in of_phase)
    return Patches(
        s.h, s.w, s.c, s.cell, s.top, s.left, *step, down, across, depth, s.oh, s.ow, s.f, s.groups
    )


def patch_count(s: Patches) -> int:
    """Return how many patches an image has."""
    return s.step_h * s.step_w * s.down * s.across


def _cut(side: int, outputs: int, transform: Any, parts: int) -> Any:
    """Return the kernel that cuts images into squares of ``side`` and transforms them.

    A square begins ``outputs`` pixels after its neighbour. Each of one or three ``parts`` has some
    rows of the result (see `place_of`): those of two points ±P share their sums.
    """
    pairs, without_overlap, lines = side // 2 + 1, side == outputs, PATCH // parts

    @inlined
    def two_rows(t: Any, first: int, second: int) -> Any:
        return rows((row(t, first), row(t, second)))

    @inlined
    def column_of(x: Array, s: Patches, first: int, low: int, high: int, count: int) -> Any:
        """Return a column of the square, 0 outside of the rows ``low`` to ``high``."""
        return load_rows_between(side, x, first, s.step_h * s.w * s.c, low, high, count)

    @inlined
    def scattered_column(
        x: Array, argmax: Array, s: Patches, n: int, j: int, top: int, c: int, count: int
    ) -> Any:
        """Return the same of 2x2 pixels for each number, which only the argmax of them has."""
        line, half, right = s.w * s.c, top >> 1, np.float32(j & 1)
        first = (n * s.h + half) * line + (j >> 1) * s.c + c
        t = load_rows_between(pairs, x, first, line, -half, s.h - half, count)
        u = load_bytes_between(pairs, argmax, first, line, -half, s.h - half, count)
        upper, lower = where_equal(t, u, right), where_equal(t, u, TWO + right)
        if top & 1:  # noqa: SIM108 - an expression would hide the constants from Numba
            d = interleave(upper, lower, 1, side)
        else:
            d = interleave(upper, lower, 0, side)
        return d

    @kernel
    def cut(
        source: GatedGradient, s: Patches, block: Block, strip: Array, v: Array,
        plane_stride: int, total: Array, part: int,
    ) -> None:  # fmt: skip
        """Write ``T·d·Tᵀ`` of a block of patches into ``v``, or a ``part`` of its rows.

        Patches side by side share the columns of T·d, which wait in ``strip``. A gradient's pixels
        (patches without overlap) are added to ``total``, by the first part.
        """
        (x, gate, argmax, gated), (start, channels, p, last), first = source, block, block.first
        of_phase, phases = s.down * s.across, s.step_h * s.step_w
        while p < last:
            n, phase, j = p // (of_phase * phases), p // of_phase % phases, p % s.across
            run = min(s.across - j, last - p)
            top = (p // s.across % s.down * outputs) * s.step_h + phase // s.step_w - s.top
            left = j * outputs * s.step_w + phase % s.step_w - s.left
            low, high = -(top // s.step_h), -((top - s.h) // s.step_h)
            for c in range(0, channels, LANES):
                z, count = zeros(side, 1), min(LANES, channels - c)
                for q in range(outputs * run + side - outputs):
                    d, column = zeros(side, 1), left + q * s.step_w
                    at = ((n * s.h + top) * s.w + column) * s.c + start + c
                    if s.cell == 1 and 0 <= column < s.w:
                        d = column_of(x, s, at, low, high, count)
                        if gated:
                            of_gate = column_of(gate, s, at, low, high, count)
                            d = where_above_zero(d, of_gate, np.float32(0))
                    elif s.cell == 2 and 0 <= column < 2 * s.w:
                        d = scattered_column(x, argmax, s, n, column, top, start + c, count)
                    to = q * lines * LANES
                    if parts == 1:
                        store(transform(d), strip, to, LANES)
                    elif part == 0:
                        store(two_rows(transform(d), 0, 5), strip, to, LANES)
                    elif part == 1:
                        store(two_rows(transform(d), 1, 2), strip, to, LANES)
                    else:
                        store(two_rows(transform(d), 3, 4), strip, to, LANES)
                    z = z + d
                # Each loop holds one column or one row: whole patches would not fit in registers.
                panel = c // s.depth * lines * PATCH * plane_stride + c % s.depth
                for q in range(run):
                    to = panel + (p - first + q) * s.depth
                    for r in range(lines):
                        of_row = (q * outputs * lines + r) * LANES
                        t_d = transform(load(side, 1, strip, of_row, lines * LANES, 0))
                        store(t_d, v, to + r * PATCH * plane_stride, plane_stride)
                if without_overlap and part == 0:
                    store(row_sum(z) + load(1, 1, total, c, 0, 0), total, c, 0)
            p += run

    return cut


@cache
def cut_images(outputs: int, parts: int = 1) -> Any:
    """Return the kernel that cuts images into patches of 6x6, and writes ``Bᵀ·d·B``."""
    return _cut(PATCH, outputs, b_transposed, parts)


@cache
def cut_gradients(outputs: int, parts: int = 1) -> Any:
    """Return the kernel that cuts gradients into the outputs of patches, and writes ``A·dz·Aᵀ``."""
    return _cut(outputs, outputs, values(outputs), parts)


@kernel
def _begin(s: Patches, p: int, side: int, height: int) -> tuple[int, int, int]:
    """Return the row, counted over all images, and the column of a patch's own pixels.

    And how many rows lie from one of its rows to the next.
    """
    of_phase, phases = s.down * s.across, s.step_h * s.step_w
    phase, i, j = p // of_phase % phases, p // s.across % s.down, p % s.across
    top = p // (of_phase * phases) * height + i * side * s.step_h + phase // s.step_w
    return top, j * side * s.step_w, s.step_h


@kernel
def fetch_pixels(source: GatedGradient, s: Patches, side: int, first: int, last: int) -> None:
    """Fetch the pixels of patches that are cut soon, ``side`` x ``side`` without the overlap."""
    (x, gate, _, gated), side = source, side // s.cell
    length, line = side * s.step_w * s.c, s.w * s.c
    for p in range(first, last):
        top, left, step = _begin(s, p, side, s.h)
        for r in range(side):
            at = (top + r * step) * line + left * s.c
            for k in range(at, at + length, LINE):
                prefetch_row(PIECE, x, k)
                if gated:
                    prefetch_row(PIECE, gate, k)


@kernel
def fetch_outputs(y: Array, s: Patches, side: int, first: int, last: int) -> None:
    """Fetch where the outputs of patches, ``side`` x ``side``, are written soon."""
    length, line = side * s.step_w * s.f, s.ow * s.f
    for p in range(first, last):
        top, left, step = _begin(s, p, side, s.oh)
        for r in range(side):
            at = (top + r * step) * line + left * s.f
            for k in range(at, at + length, LINE):
                prefetch(y, k)


@kernel
def place_of(k: int, part: int, parts: int) -> int:
    """Return the ``k``-th place of a part: of three, they have rows 0 and 5, 1 and 2, 3 and 4."""
    if parts == 1:
        return k
    first = max(0, 2 * part - 1)
    second = first + 1 if part > 0 else PATCH - 1
    return (first if k < PATCH else second) * PATCH + k % PATCH


@kernel
def part_of(first: int, last: int, k: int, parts: int) -> tuple[int, int]:
    """Return the ``k``-th of the ``parts`` of a block of patches."""
    count = last - first
    return first + k * count // parts, first + (k + 1) * count // parts


@inlined
def _largest_of_2x2(z: Any, argmax: Any) -> Any:
    """Return the largest of each 2x2 numbers and which it is; ``argmax`` is zeros."""
    best = strided(z, 0, 0)
    best, argmax = keep_larger(best, argmax, strided(z, 0, 1), ONE)
    best, argmax = keep_larger(best, argmax, strided(z, 1, 0), TWO)
    return keep_larger(best, argmax, strided(z, 1, 1), THREE)


@cache
def write(outputs: int, pool: int) -> Any:
    """Return the kernel that makes outputs of products, ``outputs`` x ``outputs`` of a patch.

    ``pool`` is 1, or 2 for the largest of each 2x2 outputs.
    """
    side, a_transposed = outputs // pool, values_transposed(outputs)

    @kernel
    def write_outputs(
        m: Array, plane_stride: int, bias: Array, s: Patches, block: Block, strip: Array,
        out: Output, rectify: bool,
    ) -> None:  # fmt: skip
        """Write ``Aᵀ·m·A`` + bias of a block of patches, to ``out``; the bias is the block's."""
        (y, argmax, plus), (start, channels, first, last), width = out, block, len(bias)
        of_phase, phases = s.down * s.across, s.step_h * s.step_w
        for p in range(first, last):
            n, phase = p // (of_phase * phases), p // of_phase % phases
            i, j = p // s.across % s.down * side, p % s.across * side
            top, left = i * s.step_h + phase // s.step_w, j * s.step_w + phase % s.step_w
            columns = min(side, -((left - s.ow) // s.step_w))
            for f in range(0, channels, LANES):
                for column in range(PATCH):
                    of_column = column * plane_stride + (p - first) * width + f
                    t = load(PATCH, 1, m, of_column, PATCH * plane_stride, 0)
                    store(a_transposed(t), strip, column * outputs * LANES, LANES)
                count = min(LANES, channels - f)
                for r in range(min(side, -((top - s.oh) // s.step_h))):
                    t = load(PATCH, pool, strip, r * pool * LANES, outputs * LANES, LANES)
                    z = transpose(a_transposed(t))
                    to = ((n * s.oh + top + r * s.step_h) * s.ow + left) * s.f + start + f
                    if pool == 1:
                        best = add_vector(z, bias, f)
                        if len(plus) > 0:
                            best = best + load_within(
                                1, side, plus, to, 0, s.step_w * s.f, 1, columns, count
                            )
                    else:
                        best, which = _largest_of_2x2(z, zeros(1, side))
                        best = add_vector(best, bias, f)
                        which = mark_stopped(which, best, rectify)
                        across = s.step_w * s.f
                        store_bytes_within(which, argmax, to, 0, across, 1, columns, count)
                    if rectify:
                        best = relu(best)
                    store_within(best, y, to, 0, s.step_w * s.f, 1, columns, count)

    return write_outputs
