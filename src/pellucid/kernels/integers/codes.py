"""Images as codes, bytes that stand for real numbers: the twin of `pellucid.ops.quantize`.

All arrays are flat and C-contiguous, allocated by the engine. A task is a row of an image with its
frame, which is as wide as the padding and has the code of 0; it writes to no other. Code for code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...typing import Array
from ..jit import LANES, kernel
from ..pool.threads import share
from ..simd import codes, load, load_part, store_bytes

__all__ = ["Codes", "Frame", "encode", "write_codes"]


class Codes(NamedTuple):
    """The reciprocal of the scale, and the zero point."""

    factor: np.float32
    zero: np.float32


class Frame(NamedTuple):
    """Images (h, w) of c channels, and how they lie in larger ones, (rows, columns)."""

    h: int
    w: int
    c: int
    rows: int
    columns: int
    top: int
    left: int


@kernel
def write_codes(x: Array, i: int, count: int, how: Codes, y: Array, j: int) -> None:
    """Write the codes of ``x[i : i + count]`` to the bytes ``y[j:]``."""
    whole = count - count % LANES
    for k in range(0, whole, LANES):
        t = codes(load(1, 1, x, i + k, 0, 0), how.factor, how.zero)
        store_bytes(t, y, j + k, 0, LANES)
    if whole < count:
        t = codes(load_part(x, i + whole, count - whole), how.factor, how.zero)
        store_bytes(t, y, j + whole, 0, count - whole)


@kernel
def encode(queue: Array, x: Array, y: Array, frame: Frame, how: Codes) -> None:
    """Write the codes of images, row by row."""
    h, w, c, rows, columns, top, left = frame
    zero = np.uint8(how.zero)
    for task in share(queue):
        n, i = task // rows, task % rows - top
        begin = task * columns * c
        if 0 <= i < h:
            inside = begin + left * c
            y[begin:inside] = zero
            write_codes(x, (n * h + i) * w * c, w * c, how, y, inside)
            y[inside + w * c : begin + columns * c] = zero
        else:
            y[begin : begin + columns * c] = zero
