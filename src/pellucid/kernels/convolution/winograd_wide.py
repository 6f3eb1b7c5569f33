"""Winograd's convolution of many channels, whose transformed filters would not fit the caches.

See `pellucid.kernels.convolution.winograd`. Transformed filters of 3x3 are four times as many
numbers, of 512 channels and filters 38 MB, which take longer to read from memory than their
products with a few patches. Here nobody writes them: a task transforms those that it needs.

The patches of all images are transformed first, into panels
(`pellucid.kernels.convolution.panels`). A task is a block of patches and a panel of filters. It
takes only as many channels at a time as leave their transformed filters, and the sums so far, in a
core's own cache.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import load, store, zeros
from .arguments import Output
from .layout import LINE, aligned
from .panels import HEIGHT, VECTORS, WIDTH, Panels, transform_panel
from .patches import Block, Patches, write
from .tiles import tile_nn
from .winograd_transforms import PATCH, PLACES

__all__ = ["CHANNELS", "forward"]

CHANNELS = 2 * WIDTH  # whose filters are transformed at a time


def _products(height: int) -> Any:
    """Return what adds products to the sums of ``height`` patches."""

    @inlined
    def add(
        v: Array, i: int, of_panel: int, u: Array, j: int, channels: int, m: Array, to: int,
        begins: bool,
    ) -> None:  # fmt: skip
        """Add those of some channels to ``m[to:]``, or write them, if it ``begins`` with them."""
        t = zeros(height, VECTORS)
        if not begins:
            t = load(height, VECTORS, m, to, WIDTH, LANES)
        for c in range(0, channels, WIDTH):
            terms = min(WIDTH, channels - c)
            t = tile_nn(t, v, i, WIDTH, u, j + c * WIDTH, WIDTH, terms)
            i += of_panel
        store(t, m, to, WIDTH)

    return add


_whole, _half = _products(HEIGHT), _products(HEIGHT // 2)


@kernel
def _multiply(
    v: Array, i: int, plane: int, u: Array, u_plane: int, channels: int, m: Array, m_plane: int,
    extent: tuple[int, bool],
) -> None:  # fmt: skip
    """Add the products of some channels of ``count`` patches with a panel of filters to ``m``."""
    (count, begins), of_panel, half = extent, PLACES * plane, HEIGHT // 2
    for k in range(PLACES):
        for p in range(0, count, HEIGHT):
            at, to = i + k * plane + p * WIDTH, k * m_plane + p * WIDTH
            if count - p > half:
                _whole(v, at, of_panel, u, k * u_plane, channels, m, to, begins)
            else:
                _half(v, at, of_panel, u, k * u_plane, channels, m, to, begins)


@cache
def forward(outputs: int, pool: int) -> Any:
    """Return the kernel for ``outputs`` x ``outputs`` of a patch.

    ``pool`` is 1, or 2 for the largest of each 2x2.
    """
    side = PATCH + 1 - outputs
    cells, write_outputs, transform = side * side, write(outputs, pool), transform_panel(side)

    @kernel
    def convolve(
        queue: Array, v: Array, filters: Array, bias: Array, out: Output, s: Patches,
        panels: Panels, rectify: bool,
    ) -> None:  # fmt: skip
        """Write ``out.y``, and with a pooling ``out.argmax``."""
        patches, plane, per_block = panels
        blocks, longest = (patches + per_block - 1) // per_block, per_block + HEIGHT
        u_plane, m_plane = CHANNELS * WIDTH + LINE, longest * WIDTH + LINE
        u = aligned(np.empty(PLACES * u_plane + LINE, dtype=np.float32))
        m = aligned(np.empty(PLACES * m_plane + LINE, dtype=np.float32))
        strip = aligned(np.empty(PATCH * outputs * LANES + LINE, dtype=np.float32))
        for task in share(queue):
            f, first = task // blocks * WIDTH, task % blocks * per_block
            last = min(first + per_block, patches)
            for c in range(0, s.c, CHANNELS):
                channels = min(CHANNELS, s.c - c)
                transform(filters, (f * s.c + c * WIDTH) * cells, channels, u, u_plane)
                at = c // WIDTH * PLACES * plane + first * WIDTH
                _multiply(v, at, plane, u, u_plane, channels, m, m_plane, (last - first, c == 0))
            block = Block(f, min(WIDTH, s.f - f), first, last)
            write_outputs(m, m_plane, bias[f : f + WIDTH], s, block, strip, out, rectify)

    return convolve
