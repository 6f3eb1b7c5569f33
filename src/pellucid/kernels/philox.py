"""Dropout masks by Philox4x32-10: the twin of `pellucid.ops.philox`, bit for bit.

The mask is float32 (N, cells, C), C-contiguous, allocated by the engine; the words of an image are
counted in the order of the plain layer's (C, cells). A task is an image, and writes the mask of
this one only. The four words of a block are a quarter of the image apart (see
`pellucid.image_random.ImageRandom.counters`), so that LLVM can vectorise the loop over the blocks.
"""

from __future__ import annotations

import numpy as np

from ..ops.philox import M0, M1, ROUNDS, W0, W1
from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["dropout_mask"]

FACTORS = np.uint64(M0), np.uint64(M1)
STEPS = np.uint32(W0), np.uint32(W1)
HIGH = np.uint64(32)
ZERO = np.float32(0)


@kernel
def dropout_mask(
    queue: Array, images: Array, key: Array, epoch: int, first: int, mask: Array, rare: int,
    scale: float,
) -> None:  # fmt: skip
    """``mask[n,i,c] = scale`` where word (c, i) of image ``images[n]`` is ``rare`` or more, else 0.

    ``key`` holds the two words of the key, and ``first`` is the number of the first block.
    """
    _, cells, channels = mask.shape
    blocks = (cells * channels + 3) // 4
    kept, least = np.float32(scale), np.uint32(min(rare, 2**32 - 1))
    for n in share(queue):
        row = np.empty(4 * blocks, dtype=np.float32)
        _fill(row, blocks, np.uint64(images[n]), key, np.uint32(epoch), first, least, kept)
        if cells == 1:
            for c in range(channels):
                mask[n, 0, c] = row[c]
            continue
        for i in range(cells):
            for c in range(channels):
                mask[n, i, c] = row[c * cells + i]


@kernel
def _fill(
    row: Array, blocks: int, image: int, key: Array, epoch: int, first: int, least: int,
    kept: float,
) -> None:  # fmt: skip
    """Write the mask of one image, the first words of all blocks first."""
    low, high = np.uint32(image), np.uint32(image >> HIGH)
    for block in range(blocks):
        a, b, c, d = np.uint32(first + block), low, high, np.uint32(epoch)
        k0, k1 = np.uint32(key[0]), np.uint32(key[1])
        for _ in range(ROUNDS):
            one, two = np.uint64(a) * FACTORS[0], np.uint64(c) * FACTORS[1]
            a, b, c, d = (
                np.uint32(two >> HIGH) ^ b ^ k0,
                np.uint32(two),
                np.uint32(one >> HIGH) ^ d ^ k1,
                np.uint32(one),
            )
            k0, k1 = np.uint32(k0 + STEPS[0]), np.uint32(k1 + STEPS[1])
        row[block] = kept if a >= least else ZERO
        row[blocks + block] = kept if b >= least else ZERO
        row[2 * blocks + block] = kept if c >= least else ZERO
        row[3 * blocks + block] = kept if d >= least else ZERO
