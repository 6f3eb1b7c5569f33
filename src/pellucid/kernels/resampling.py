"""Resampling of images by one matrix for each axis: twin of `pellucid.ops.resample2d` to 1e-5.

Images are channels-last, (N, H, W, C), float32, C-contiguous, allocated by the caller. Of each
matrix only the numbers other than zero are kept, row by row; the gradient is the same kernel with
the transposed matrices. A task is a band of ``per`` rows of the output, counted through all images,
and writes to its own rows only; each sum has one order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..typing import Array
from .jit import LANES, kernel
from .pool.threads import share
from .simd import load, load_part, plus, store, store_part, zeros

__all__ = ["Weights", "resample", "weights"]

VECTORS = 4  # of channels at once: enough to hide what finding their places takes
WIDE = VECTORS * LANES


class Weights(NamedTuple):
    """The numbers other than zero of a matrix (O, I), row by row.

    Attributes
    ----------
    starts : int64 array (O + 1,)
        Where each row begins in the other two, and where the last one ends.
    cells : int64 array
        Their columns: the rows or columns of the image that are read.
    values : float32 array
        The numbers.
    """

    starts: Array
    cells: Array
    values: Array


def weights(matrix: Array) -> Weights:
    """Return the numbers other than zero of a matrix."""
    rows, cells = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1)).astype(np.int64)
    return Weights(starts, cells.astype(np.int64), matrix[rows, cells].astype(np.float32))


@kernel
def resample(queue: Array, x: Array, y: Array, rows: Weights, columns: Weights, per: int) -> None:
    """Write ``y[i,j] = Σ_h Σ_w rows[i,h] · columns[j,w] · x[h,w]`` for each channel."""
    (_, h, w, c), (images, oh, ow, _) = x.shape, y.shape
    xs, ys, whole = x.reshape(x.size), y.reshape(y.size), c // WIDE * WIDE
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            for j in range(ow):
                to = (row * ow + j) * c
                for k in range(0, whole, WIDE):
                    t = zeros(1, VECTORS)
                    for a in range(rows.starts[i], rows.starts[i + 1]):
                        s, line = zeros(1, VECTORS), (n * h + rows.cells[a]) * w
                        for b in range(columns.starts[j], columns.starts[j + 1]):
                            at = (line + columns.cells[b]) * c + k
                            part = load(1, VECTORS, xs, at, 0, LANES)
                            s = plus(s, columns.values[b] * part)
                        t = plus(t, rows.values[a] * s)
                    store(t, ys, to + k, 0)
                for k in range(whole, c, LANES):
                    t = zeros(1, 1)
                    for a in range(rows.starts[i], rows.starts[i + 1]):
                        s, line = zeros(1, 1), (n * h + rows.cells[a]) * w
                        for b in range(columns.starts[j], columns.starts[j + 1]):
                            at = (line + columns.cells[b]) * c + k
                            s = plus(s, columns.values[b] * load_part(xs, at, c - k))
                        t = plus(t, rows.values[a] * s)
                    store_part(t, ys, to + k, c - k)
