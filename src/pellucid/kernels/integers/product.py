"""Windows of bytes times filters of bytes: the twin of `pellucid.ops.quantized_conv2d`.

    y[m,n] = f(plus[m,n] + bias[n] + factor[n] · (shift[n] + Σ_k x[m,k] · w[k,n]))

A row is a window, of any image: the runs of bytes that a filter sees, one after the other. A task
copies its windows to an array that stays in the level-2 cache, which for bytes takes little of the
time, or, where windows are single pixels, makes codes of the pixels' numbers on the way. So every
window is a row of a matrix, and the rest is the product of `pellucid.kernels.gemm.product`, with
words of four bytes in place of numbers and exact integers for sums.

``shift`` takes the zero point's share out of the sums. The filters come in panels of `WIDTH`, as
words of four bytes that follow each other in a window; a run ends with a whole word, the rest of
which are zeros. Groups have panels of their own, the last of which is `narrow` if it has no more
filters than a vector: its words then lie `LANES` apart, at the beginning of its place.

All arrays are flat and C-contiguous, allocated by the engine. A task is some rows times some
panels, and writes to no other place. To 1e-6 relative in float32: the integers are exact.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.layout import LINE, aligned
from ..gemm.packing import HEIGHT, VECTORS, WIDTH
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import (
    clip,
    copy_bytes,
    load,
    load_part,
    outer_bytes,
    prefetch,
    scaled,
    store,
    store_part,
    zeros,
)
from .codes import Codes, write_codes

__all__ = ["BYTES", "Epilogue", "Results", "Source", "Tasks", "Windows", "multiply", "narrow"]

BYTES = 4  # in a word
PAD = 64  # bytes after each row, so that not all rows begin at the same place in a cache


class Source(NamedTuple):
    """What windows are read from: codes; or numbers, of which windows of a pixel are made codes."""

    numbers: Array
    codes: Array
    how: Codes
    encoded: bool  # the codes are there


class Windows(NamedTuple):
    """Where windows lie, in bytes or numbers: (oh, ow) an image, and the runs of each."""

    oh: int
    ow: int
    image: int  # from one image to the next
    down: int  # from one row of windows to the next
    right: int
    run_offset: Array  # int64, of each run in a window
    run: int  # bytes
    group: int  # from one group's channels to the next


class Tasks(NamedTuple):
    """How a product is cut: ``down`` blocks of rows times ``across`` blocks of panels."""

    rows: int
    columns: int
    down: int
    across: int
    groups: int
    added: bool  # there is a ``plus``


class Results(NamedTuple):
    """Where a product goes, and what is added to it."""

    y: Array
    plus: Array  # of the shape of y; one element if nothing is added


class Epilogue(NamedTuple):
    """One number a column of the panels, and the bounds of what is written."""

    shift: Array  # int32
    factor: Array
    bias: Array
    low: np.float32
    high: np.float32


@inlined
def narrow(columns: int) -> bool:
    """Return whether these columns fit into a single vector."""
    return columns <= LANES


@kernel
def _copy_windows(
    source: Source, s: Windows, first: int, last: int, offset: int, near: Array, pitch: int
) -> None:
    """Copy the windows ``first`` to ``last`` of a group, one every ``pitch`` bytes."""
    of_run = (s.run + BYTES - 1) // BYTES * BYTES
    vectors = (s.run + BYTES * LANES - 1) // (BYTES * LANES)
    begin = first // (s.oh * s.ow) * s.image + offset
    for k in range(len(s.run_offset)):
        i, j, to = first // s.ow % s.oh, first % s.ow, k * of_run
        at = begin + i * s.down + j * s.right + s.run_offset[k]
        for _ in range(first, last):
            if source.encoded:
                for v in range(vectors):  # what goes beyond is overwritten by the next run
                    copy_bytes(source.codes, at + v * BYTES * LANES, near, to + v * BYTES * LANES)
            else:
                write_codes(source.numbers, at, s.run, source.how, near, to)
            j, at, to = j + 1, at + s.right, to + pitch
            if j == s.ow:
                i, j, at = i + 1, 0, at - s.ow * s.right + s.down
            if i == s.oh:
                i, at = 0, at - s.oh * s.down + s.image


@cache
def _panel(vectors: int) -> Any:
    """Return what multiplies a task's rows with a panel of ``vectors``."""
    width = vectors * LANES

    @inlined
    def add_plus(t: Any, plus: Array, m: int, n: int, tasks: Tasks, last: int, near: Array) -> Any:
        """Return the tile with its part of ``plus`` added."""
        count = min(width, last - n)
        if count == width and m + HEIGHT <= tasks.rows:
            return t + load(HEIGHT, vectors, plus, m * tasks.columns + n, tasks.columns, LANES)
        for r in range(min(HEIGHT, tasks.rows - m)):
            for v in range(0, count, LANES):
                u = load_part(plus, (m + r) * tasks.columns + n + v, min(LANES, count - v))
                store(u, near, r * width + v, 0)
        return t + load(HEIGHT, vectors, near, 0, width, LANES)

    @inlined
    def write(t: Any, y: Array, m: int, n: int, tasks: Tasks, last: int, scratch: Array) -> None:
        """Write the rows and columns of a tile that exist, the columns before ``last``."""
        count = min(width, last - n)
        if count == width and m + HEIGHT <= tasks.rows:
            store(t, y, m * tasks.columns + n, tasks.columns)
            return
        store(t, scratch, 0, width)
        for r in range(min(HEIGHT, tasks.rows - m)):
            for v in range(0, count, LANES):
                u = load(1, 1, scratch, r * width + v, 0, 0)
                store_part(u, y, (m + r) * tasks.columns + n + v, min(LANES, count - v))

    @kernel
    def multiply_panel(
        near: Array, pitch: int, w: Array, place: int, words: int, out: Results,
        part: tuple[int, int, int], tasks: Tasks, epilogue: Epilogue,
    ) -> None:  # fmt: skip
        """Multiply the rows of a task, tile by tile, with a panel.

        ``part`` is the first row, the number of the panel, and the first of its columns.
        """
        (first, panel, n), (y, plus) = part, out
        scratch = aligned(np.empty(HEIGHT * width + LINE, np.float32))
        of_group = tasks.columns // tasks.groups
        last, y_end = (n // of_group + 1) * of_group, min(tasks.rows, first + len(near) // pitch)
        for m in range(first, y_end, HEIGHT):
            at, t = (m - first) * pitch, zeros(HEIGHT, vectors)
            for r in range(HEIGHT):
                for v in range(vectors):
                    prefetch(y, (m + r) * tasks.columns + n + v * LANES)
            for k in range(words):
                t = outer_bytes(t, near, at + k * BYTES, pitch, w, place + k * width)
            z = scaled(t, epilogue.shift, epilogue.factor, epilogue.bias, panel * WIDTH)
            if tasks.added:
                z = add_plus(z, plus, m, n, tasks, last, scratch)
            z = clip(z, epilogue.low, epilogue.high)
            write(z, y, m, n, tasks, last, scratch)

    return multiply_panel


_wide_panel, _narrow_panel = _panel(VECTORS), _panel(1)


@kernel
def multiply(
    queue: Array, source: Source, w: Array, out: Results, s: Windows, tasks: Tasks,
    epilogue: Epilogue,
) -> None:  # fmt: skip
    """Write ``y``, the windows times the filters."""
    rows, columns, down, across, groups, _ = tasks
    of_run = (s.run + BYTES - 1) // BYTES
    words, of_group = len(s.run_offset) * of_run, columns // groups
    panels, tiles = (of_group + WIDTH - 1) // WIDTH, (rows + HEIGHT - 1) // HEIGHT
    pitch = words * BYTES + PAD
    room = np.empty((tiles + down - 1) // down * HEIGHT * pitch + LINE * BYTES, np.uint8)
    for task in share(queue):
        i, j = task % down, task // down
        top, end = i * tiles // down * HEIGHT, min(rows, (i + 1) * tiles // down * HEIGHT)
        near = room[: (end - top + HEIGHT - 1) // HEIGHT * HEIGHT * pitch]
        copied = -1
        for panel in range(j * groups * panels // across, (j + 1) * groups * panels // across):
            g = panel // panels
            if g != copied:
                _copy_windows(source, s, top, end, g * s.group, near, pitch)
                copied = g
            n = panel % panels * WIDTH
            part, place = (top, panel, g * of_group + n), panel * words * WIDTH
            if narrow(of_group - n):
                _narrow_panel(near, pitch, w, place, words, out, part, tasks, epilogue)
            else:
                _wide_panel(near, pitch, w, place, words, out, part, tasks, epilogue)
