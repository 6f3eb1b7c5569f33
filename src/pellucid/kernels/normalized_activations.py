"""A normalisation and the SiLU or hardswish that follows, in one pass.

Flat float32 arrays of one size, channels-last, as in `pellucid.kernels.normalization`, with its
*rows*; a task is a block of whole pixels. What lies between norm and activation,

    z = (x - own[0]) · own[1] + own[2]      y = f(z)      dz = dy · f'(z)

is not kept: backward computes z from x anew. dz is written by the pass that sums it, over dy if
nobody else reads that, because f' costs more than to read a number; from dz,
`normalization.batch_gradient` makes dx. Twins of `pellucid.ops.batch_norm` and of the activation,
to 1e-5.

Each activation has kernels of its own, which only a network that has it compiles.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..typing import Array
from .blocks import fetch_ahead
from .convolution.activation import HARDSWISH, SILU
from .elementwise import silu_at, silu_slope
from .jit import kernel, widest_vectors
from .normalization import fold
from .pool.threads import share
from .rectifiers import hardswish_at, hardswish_slope

__all__ = ["gradient_sums", "normalize"]

FUNCTIONS = {SILU: silu_at, HARDSWISH: hardswish_at}
SLOPES = {SILU: silu_slope, HARDSWISH: hardswish_slope}


@cache
def normalize(kind: int) -> Any:
    """Return the kernel that normalises and applies the activation of this ``kind``."""
    f = FUNCTIONS[kind]

    @kernel
    @widest_vectors
    def forward(queue: Array, x: Array, y: Array, rows: Array, per: int) -> None:
        """Write ``f(z)``."""
        width = rows.shape[2]
        for task in share(queue):
            own = rows[min(task, len(rows) - 1)]
            around, scale, shift = own[0], own[1], own[2]
            for at in range(task * per, min(x.size, (task + 1) * per), width):
                end = min(at + width, (task + 1) * per)
                a, b = x[at:end], y[at:end]
                for k in range(len(a)):
                    b[k] = f((a[k] - around[k]) * scale[k] + shift[k])

    return forward


@cache
def gradient_sums(kind: int) -> Any:
    """Return the kernel of dz and its sums over blocks, for an activation of this ``kind``."""
    slope = SLOPES[kind]

    @kernel
    @widest_vectors
    def sums_of_blocks(
        queue: Array, dy: Array, dz: Array, x: Array, rows: Array, scratch: Array, sums: Array,
        bounds: Array,
    ) -> None:  # fmt: skip
        """Write dz; and ``Σ dz`` and ``Σ dz · (x - own[0])`` over each block.

        ``dz`` may be ``dy``: a row at a time waits in the nearest cache, because LLVM vectorises no
        loop that writes to what it reads.
        """
        width = rows.shape[2]
        for task in share(queue):
            own = rows[min(task, len(rows) - 1)]
            around, scale, shift = own[0], own[1], own[2]
            total, moment, row = scratch[task, 0], scratch[task, 1], scratch[task, 2]
            total[:] = 0
            moment[:] = 0
            for at in range(bounds[task], bounds[task + 1], width):
                end = min(at + width, bounds[task + 1])
                fetch_ahead(x, at, end)
                fetch_ahead(dy, at, end)
                a, da, db = x[at:end], dy[at:end], dz[at:end]
                for k in range(len(a)):
                    d = a[k] - around[k]
                    g = da[k] * slope(d * scale[k] + shift[k])
                    row[k] = g
                    total[k] += g
                    moment[k] += g * d
                for k in range(len(a)):
                    db[k] = row[k]
            fold(total, sums[task, 0])
            fold(moment, sums[task, 1])

    return sums_of_blocks
