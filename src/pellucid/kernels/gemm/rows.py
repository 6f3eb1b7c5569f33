"""The rows of a matrix product: which pixels of images they are, and copies of them.

An image (h, w, c) lies in memory with its channels last. A convolution of 1x1 reads every
``step``-th pixel, or all of them.

All arrays are flat, float32, C-contiguous, allocated by the engine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...typing import Array
from ..convolution.layout import GatedGradient
from ..jit import LANES, inlined, kernel
from ..simd import load, load_part, store, where_above_zero

__all__ = ["PAD", "Pixels", "copy_rows", "gated_part", "pixel", "plain", "zero_between"]

PAD = 16  # numbers after each copied row, so that not all rows begin at the same place in a cache


class Pixels(NamedTuple):
    """Which pixels of images (h, w) are rows: every ``step``-th, (oh, ow) an image."""

    h: int
    w: int
    step_h: int
    step_w: int
    oh: int
    ow: int


def plain(rows: int) -> Pixels:
    """Return what says that each row of a matrix is one."""
    return Pixels(1, rows, 1, 1, 1, rows)


@inlined
def pixel(s: Pixels, row: int) -> int:
    """Return which pixel of all images a row is."""
    place = row
    if s.step_h * s.step_w > 1:
        n, i, j = row // (s.oh * s.ow), row // s.ow % s.oh, row % s.ow
        place = (n * s.h + i * s.step_h) * s.w + j * s.step_w
    return place


@inlined
def gated_part(numbers: Array, gate: Array, gated: bool, i: int, count: int) -> Any:
    """Return one vector, ``numbers[i : i + count]`` and zeros, where the gate lets them through."""
    t = load_part(numbers, i, count)
    if gated:
        t = where_above_zero(t, load_part(gate, i, count), np.float32(0))
    return t


@kernel
def copy_rows(
    source: GatedGradient, s: Pixels, rows: tuple[int, int], depth: int, block: tuple[int, int],
    near: Array, pitch: int,
) -> None:  # fmt: skip
    """Copy a ``block`` (first, count) of the numbers of ``rows`` (first, last), gated."""
    numbers, gate, gated = source.numbers, source.gate, source.gated
    (first, last), (of_block, terms) = rows, block
    whole = terms - terms % LANES
    for m in range(first, last):
        begin, to = pixel(s, m) * depth + of_block, (m - first) * pitch
        for k in range(0, whole, LANES):
            # Not by a function: a call with arrays, within a branch, counts their references.
            t = load(1, 1, numbers, begin + k, 0, 0)
            if gated:
                t = where_above_zero(t, load(1, 1, gate, begin + k, 0, 0), np.float32(0))
            store(t, near, to + k, 0)
        if whole < terms:
            t = gated_part(numbers, gate, gated, begin + whole, terms - whole)
            store(t, near, to + whole, 0)


@kernel
def zero_between(y: Array, s: Pixels, first: int, last: int, depth: int) -> None:
    """Write zeros to the pixels that are no rows, next to rows ``first`` to ``last``.

    The pixels after a row belong to it, up to the next one, and so do the lines below.
    """
    for m in range(first, last):
        i, j = m // s.ow % s.oh, m % s.ow
        high = s.h - i * s.step_h if i == s.oh - 1 else s.step_h
        wide = s.w - j * s.step_w if j == s.ow - 1 else s.step_w
        corner = pixel(s, m)
        for a in range(high):
            begin = corner + a * s.w
            y[(begin + (a == 0)) * depth : (begin + wide) * depth] = 0
