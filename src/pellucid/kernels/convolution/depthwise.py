"""Depthwise convolution: each channel has one filter of its own; the twin of `pellucid.ops`.

    z[i,j,c] = b[c] + Σ_uv w[u,v,c] · x[i·S+u-P, j·S+v-P, c]

A vector holds `LANES` channels of one pixel. For these channels, a band of rows of the image is
copied into a *strip*, whose pixels follow each other, framed by zeros: some KB, which stay in the
nearest cache while all taps pass over them. (Some vectors are copied together, so that memory is
read in long runs.) There a tile of sums, ``height`` pixels of one row,
stays in registers, and each vector of weights serves all of them.

*The input gradient* has the same form, and asks for each cell which windows read it. With a stride
S, cells that are S apart meet the same taps: they are a *phase*, and there are S² of them. The
forward pass has one.

    dx[a+S·i, b+S·j, c] = Σ w[u,v,c] · dz[i+(a+P-u)/S, j+(b+P-v)/S, c]   where S divides both

All arrays are flat, float32, channels-last, allocated by the engine. The filters are packed as
(vectors, FH·FW, LANES), with zeros in the lanes after the last channel, as is the bias. A task is
some vectors of channels of a band of rows of one image, and writes to these numbers only. The
benchmark is ``python benchmarks/run.py depthwise-train-8``.

See also `pellucid.kernels.convolution.depthwise_gradient`.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    add_vector,
    entry,
    inner,
    load,
    load_part,
    scatter,
    store,
    store_first,
    where_above_zero,
    zeros,
)
from .activation import Activation, on_tiles
from .layout import LINE, GatedGradient, aligned

__all__ = ["TOGETHER", "Band", "Packed", "Strip", "copy_bands", "forward", "strip_of"]

TOGETHER = 4  # vectors of channels that are copied together: 256 bytes of each pixel


class Strip(NamedTuple):
    """How a band of an image lies in its strip, and how the result's pixels read it.

    Attributes
    ----------
    taps : int64 array (2 · taps,)
        The place of each tap in the strip, and in the filter, in turns.
    phases : int64 array (phases, 4)
        The first row and column of each phase in the result, its first tap, and the one after the
        last.
    h, w, c : int
        The image.
    top, left, pitch, rows : int
        How far the strip reaches beyond the image; its columns; the rows that one row of a phase
        reads.
    step_h, step_w : int
        From one pixel of a phase to the next, in the image.
    oh, ow : int
        The result.
    apart_h, apart_w : int
        From one pixel of a phase to the next, in the result.
    """

    taps: Array
    phases: Array
    h: int
    w: int
    c: int
    top: int
    left: int
    pitch: int
    rows: int
    step_h: int
    step_w: int
    oh: int
    ow: int
    apart_h: int
    apart_w: int


class Packed(NamedTuple):
    """The filters, the bias, and the activation that follows."""

    filters: Array
    bias: Array
    activation: Activation


class Band(NamedTuple):
    """How the work is cut: rows of a phase in a band, bands of an image, parts of its channels."""

    rows: int
    bands: int
    parts: int


def strip_of(windows: Windows, channels: int, *, back: bool = False) -> Strip:
    """Return how outputs read an image, or (``back``) how its cells read the output's gradient.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> s = strip_of(slide((5, 14), 3, stride=2, padding=1), 1)
    >>> (s.top, s.left, s.rows, s.pitch, len(s.phases), len(s.taps))
    (1, 1, 3, 15, 1, 18)
    >>> s = strip_of(slide((5, 14), 3, stride=2, padding=1), 1, back=True)
    >>> np.diff(s.phases[:, 2:]).ravel().tolist()  # taps of each phase
    [1, 2, 2, 4]
    """
    kinds = [_axis(windows, axis, back) for axis in (0, 1)]
    (h, w), (oh, ow) = (windows.input, windows.output)[:: -1 if back else 1]
    steps, apart = ((1, 1), windows.stride) if back else (windows.stride, (1, 1))
    (low_h, high_h), (low_w, high_w) = (
        (min([0, *places]), max([0, *places]))
        for places in ([at for taps in kind for _, at in taps] for kind in kinds)
    )
    longest = -(-ow // apart[1])
    pitch = (longest - 1) * steps[1] + high_w - low_w + 1
    taps: list[tuple[int, int]] = []
    phases = []
    for (a, down), (b, across) in itertools.product(*(enumerate(kind) for kind in kinds)):
        first = len(taps)
        for (u, i), (v, j) in itertools.product(down, across):
            place = (i - low_h) * pitch + j - low_w
            taps.append((place * LANES, (u * windows.window[1] + v) * LANES))
        phases.append((a, b, first, len(taps)))
    return Strip(
        np.array(taps, dtype=np.int64).ravel(), np.array(phases, dtype=np.int64), h, w,
        channels, -low_h, -low_w, pitch, high_h - low_h + 1, *steps, oh, ow, *apart,
    )  # fmt: skip


def _axis(windows: Windows, axis: int, back: bool) -> list[list[tuple[int, int]]]:
    """Return each phase's taps along an axis: their numbers, and their places for pixel 0."""
    taps, dilation = range(windows.window[axis]), windows.dilation[axis]
    stride, padding = windows.stride[axis], windows.padding[axis][0]
    if not back:
        return [[(u, dilation * u - padding) for u in taps]]
    places = [[(u, a + padding - dilation * u) for u in taps] for a in range(stride)]
    return [[(u, at // stride) for u, at in phase if at % stride == 0] for phase in places]


@inlined
def copy_bands(
    source: Any, n: int, k: int, strips: Array, size: int, frame: Any, first: int, rows: int
) -> None:
    """Copy the image's ``rows`` from ``first`` into strips of ``size`` numbers each.

    They are `TOGETHER` strips, each for ``LANES`` channels from k on, as far as there are any.
    """
    (_, _, gated), (h, _, c, left, pitch) = source, frame
    for r in range(rows):
        to, i = r * pitch * LANES, first + r
        if not 0 <= i < h:
            for at in range(to, to + pitch * LANES, LANES):
                scatter(zeros(1, TOGETHER), strips, at, 0, size)
        elif c - k >= TOGETHER * LANES and not gated:
            _copy_vectors(source, n, k, strips, to + left * LANES, size, frame, i)
        else:
            for v in range(min(TOGETHER, (c - k + LANES - 1) // LANES)):
                at = to + left * LANES + v * size
                _copy_vector(source, n, k + v * LANES, strips, at, frame, i)


@inlined
def _copy_vectors(
    source: Any, n: int, k: int, strips: Array, to: int, size: int, frame: Any, i: int
) -> None:
    """Copy row ``i`` into all strips: what is read lies side by side in memory."""
    (x, _, _), (h, w, c, left, pitch) = source, frame
    at = (n * h + i) * w * c + k
    for _ in range(min(w, pitch - left)):
        scatter(load(1, TOGETHER, x, at, 0, LANES), strips, to, 0, size)
        at += c
        to += LANES


@inlined
def _copy_vector(source: Any, n: int, k: int, strip: Array, to: int, frame: Any, i: int) -> None:
    """Copy row ``i`` of one vector, of which there may be only a part, and mask it by the gate."""
    (x, gate, gated), (h, w, c, left, pitch) = source, frame
    at = (n * h + i) * w * c + k
    for _ in range(min(w, pitch - left)):
        t = load_part(x, at, c - k)
        if gated:
            t = where_above_zero(t, load_part(gate, at, c - k), np.float32(0))
        store(t, strip, to, 0)
        at += c
        to += LANES


@cache
def forward(height: int, step: int, functions: bool) -> Any:
    """Return the kernel for tiles of ``height`` pixels that are ``step`` apart in the image.

    The activation is one of the ``functions``, or a pair of bounds.
    """
    distance, size_of_tile = step * LANES, height * LANES
    activated = on_tiles(height, 1, functions=functions)

    @kernel
    def convolve(
        queue: Array, source: GatedGradient, packed: Packed, y: Array, s: Strip, band: Band
    ) -> None:
        """Write ``y``."""
        x, gate, gated = source.numbers, source.gate, source.gated
        given = (x, gate, gated)
        (filters, bias, activation), taps, phases = packed, s.taps, s.phases
        c, (per, bands, parts) = s.c, band
        vectors, frame = -(-c // LANES), (s.h, s.w, c, s.left, s.pitch)
        per_filter = filters.size // vectors
        rows = -(-s.oh // s.apart_h)
        size = ((per - 1) * s.step_h + s.rows) * s.pitch * LANES
        strip = aligned(np.zeros(TOGETHER * size + LINE, dtype=np.float32))
        scratch = aligned(np.empty(2 * size_of_tile + LINE, dtype=np.float32))
        sums, result = scratch[:size_of_tile], scratch[size_of_tile:]
        for task in share(queue):
            n, part, b = task // (bands * parts), task // bands % parts, task % bands
            begin, end = b * rows // bands, (b + 1) * rows // bands
            first, read = begin * s.step_h - s.top, (end - begin - 1) * s.step_h + s.rows
            least = part * vectors // parts
            for vector in range(least, (part + 1) * vectors // parts):
                k, own, which = vector * LANES, vector * per_filter, (vector - least) % TOGETHER
                if which == 0:
                    copy_bands(given, n, k, strip, size, frame, first, read)
                for phase in range(len(phases)):
                    a, e = phases[phase, 0], phases[phase, 1]
                    tap, last = 2 * phases[phase, 2], 2 * phases[phase, 3]
                    wide = (s.ow - e + s.apart_w - 1) // s.apart_w
                    for i in range(begin, min(end, (s.oh - a + s.apart_h - 1) // s.apart_h)):
                        line = which * size + (i - begin) * s.step_h * s.pitch * LANES
                        to = ((n * s.oh + a + i * s.apart_h) * s.ow + e) * c + k
                        for block in range(0, wide, height):
                            j = min(block, wide - height)
                            at, t = line + j * distance, add_vector(zeros(height, 1), bias, k)
                            for q in range(tap, last, 2):
                                t = inner(
                                    t, strip, at + entry(taps, q), distance, filters,
                                    own + entry(taps, q + 1), 0,
                                )  # fmt: skip
                            t = activated(t, activation, sums, result)
                            if c - k >= LANES:
                                store(t, y, to + j * s.apart_w * c, s.apart_w * c)
                            else:
                                store_first(t, y, to + j * s.apart_w * c, s.apart_w * c, c - k)

    return convolve
