"""Images in strips, in which a whole window is one run of numbers.

There is a strip for each column j of windows, with all that these see, row by row

    strip[j] = x[0, j:j+FW], x[1, j:j+FW], x[2, j:j+FW], ...

so that window (i, j) is one run of FH·FW·C numbers there, and (i + 1, j) begins FW·C numbers later
(Cho & Brand 2017, "MEC: Memory-efficient Convolution", section 3.1). An image is written FW times,
where im2col would write it FH·FW times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...shapes import Windows
from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..simd import load, store
from .geometry import Sliding, runs
from .layout import BYTES

__all__ = ["Strips", "make_strips", "place_windows"]


class Strips(NamedTuple):
    """Where the windows lie, in strips or in the image: integers, which Numba takes by value."""

    run: int  # numbers of one row of a strip; 0 if there are none
    size: int  # numbers of all strips
    columns: int  # of windows
    stride: int  # pixels from one to the next
    dilation_h: int
    dilation_w: int
    window_w: int
    step: int  # numbers from position to position
    group: int  # numbers from group to group
    run_length: int  # numbers of a window that lie in one run


def place_windows(
    windows: Windows, s: Sliding, *, stripped: bool
) -> tuple[Strips, tuple[Array, Array]]:
    """Return where windows lie, and the offsets of what is read.

    These are the offset of the window that each argmax means, for each row of dy (OH · `BYTES`),
    and that of each of a window's runs. ``s`` says how the windows slide with the pooling after
    them.
    """
    (fh, fw), (dh, dw), (sh, sw) = windows.window, windows.dilation, windows.stride
    pool, channels = s.step_h // sh, s.c // s.groups
    q = np.arange(BYTES)
    q[pool * pool :] = 0  # stopped by a ReLU: any window will do for a gradient of 0
    row = np.arange(s.oh)[:, np.newaxis] * s.step_h + q // pool * sh
    taps = fh * fw * channels
    if not stripped:
        argmax_offset = (row * s.pitch + q % pool * sw) * s.depth
        run_offset = runs(windows, s).ravel()
        strips = Strips(
            0, 0, 0, sw, dh, dw, fw, s.step_w * s.depth, channels, taps // run_offset.size
        )
        return strips, (argmax_offset.ravel(), run_offset)
    # The rows that a window sees follow each other: every second one, then the others, if dilated.
    run, down, columns = fw * channels, -(-s.rows // dh), s.ow * pool
    strip = dh * down * run
    argmax_offset = (row % dh * down + row // dh) * run + q % pool * strip
    size = s.groups * columns * strip
    strips = Strips(
        run, size, columns, sw, dh, dw, fw, pool * strip, columns * strip, run_length=taps
    )
    return strips, (argmax_offset.ravel(), np.zeros(1, dtype=np.int64))


@kernel
def make_strips(image: Array, stripped: Array, s: Sliding, strips: Strips) -> None:
    """Write the padded image into ``stripped``, in strips."""
    channels, down = s.c // s.groups, -(-s.rows // strips.dilation_h)
    for g in range(s.groups):
        for j in range(strips.columns):
            for first in range(strips.dilation_h):
                to = ((g * strips.columns + j) * strips.dilation_h + first) * down * strips.run
                for i in range(first, s.rows, strips.dilation_h):
                    pixel = (i * s.pitch + j * strips.stride) * s.depth + g * channels
                    _copy_row(image, pixel, stripped, to, s, strips)
                    to += strips.run


@inlined
def _copy_row(
    image: Array, pixel: int, stripped: Array, to: int, s: Sliding, strips: Strips
) -> None:
    """Copy what a window sees of one row: in one piece, or cell by cell."""
    channels = s.c // s.groups
    if strips.dilation_w == 1 and s.groups == 1:
        _copy(image, pixel, stripped, to, strips.run)
    else:
        for v in range(strips.window_w):
            cell = pixel + v * strips.dilation_w * s.depth
            _copy(image, cell, stripped, to + v * channels, channels)


@kernel
def _copy(image: Array, begin: int, stripped: Array, to: int, count: int) -> None:
    """Copy ``count`` numbers, and up to a vector more, which the next ones overwrite."""
    for k in range(0, count, LANES):
        store(load(1, 1, image, begin + k, 0, 0), stripped, to + k, 0)
