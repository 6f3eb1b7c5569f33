"""The end of a residual block: a batch norm, the sum with the shortcut, and ReLU in one pass.

Flat float32 arrays of one size, channels-last, as in `pellucid.kernels.normalization`, with its
*rows*; a task is a block of whole pixels. Twins of `pellucid.ops.batch_norm` and an addition, to
1e-5. Bound by memory bandwidth: a and b are read, and y is written, once.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .blocks import CLOSE, LINE, fetch_ahead
from .jit import kernel
from .normalization import fold
from .pool.threads import share
from .simd import prefetch

__all__ = ["add_normalized", "gradient_sums"]


@kernel
def add_normalized(
    queue: Array, a: Array, b: Array, y: Array, rows: Array, others: Array, both: bool, relu: bool,
    per: int,
) -> None:  # fmt: skip
    """Write the normalised ``a``, by ``rows``, plus ``b``; if ``both``, b by the rows ``others``.

    If ``relu``, 0 where the sum is below 0.
    """
    width, least = rows.shape[2], np.float32(0 if relu else -np.inf)
    around, scale, shift = rows[0, 0], rows[0, 1], rows[0, 2]
    around_b, scale_b, shift_b = others[0, 0], others[0, 1], others[0, 2]
    for task in share(queue):
        for at in range(task * per, min(a.size, (task + 1) * per), width):
            end = min(at + width, (task + 1) * per)
            fetch_ahead(a, at, end, CLOSE)
            fetch_ahead(b, at, end, CLOSE)
            p, q, z = a[at:end], b[at:end], y[at:end]
            if both:
                for k in range(len(p)):
                    t = (q[k] - around_b[k]) * scale_b[k] + shift_b[k]
                    t += (p[k] - around[k]) * scale[k] + shift[k]
                    z[k] = least if t < least else t
            else:
                for k in range(len(p)):
                    t = (p[k] - around[k]) * scale[k] + shift[k] + q[k]
                    z[k] = least if t < least else t


@kernel
def gradient_sums(
    queue: Array, dy: Array, y: Array, dz: Array, x: Array, rows: Array, scratch: Array,
    sums: Array, bounds: Array,
) -> None:  # fmt: skip
    """Write dz, which is dy where ``y`` is above 0, and 0 elsewhere; and sums over each block.

    These are ``Σ dz`` and ``Σ dz · (x - rows[0, 0])``, as by `normalization.batch_gradient_sums`.
    """
    width, around = rows.shape[2], rows[0, 0]
    for task in share(queue):
        total, moment = scratch[task, 0], scratch[task, 1]
        total[:] = 0
        moment[:] = 0
        for at in range(bounds[task], bounds[task + 1], width):
            end = min(at + width, bounds[task + 1])
            for source in (dy, y, x):
                fetch_ahead(source, at, end, CLOSE)
            for k in range(at + CLOSE, end + CLOSE, LINE):
                prefetch(dz, k)
            a, da, b, db = x[at:end], dy[at:end], y[at:end], dz[at:end]
            for k in range(len(a)):
                g = da[k] if b[k] > 0 else np.float32(0)
                db[k] = g
                total[k] += g
                moment[k] += g * (a[k] - around[k])
        fold(total, sums[task, 0])
        fold(moment, sums[task, 1])
