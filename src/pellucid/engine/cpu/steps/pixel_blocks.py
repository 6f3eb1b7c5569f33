"""Blocks of whole pixels: the tasks of the normalisation steps, and the sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from ....kernels import normalization
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import flat

__all__ = ["ChunkBlocks", "PixelBlockStep"]


class PixelBlockStep(Step):
    """Base class: an output shaped like the input, computed in blocks of whole pixels."""

    channels_last = by_image = cheap = True
    reads_output = False
    passes: ClassVar[tuple[Any, ...]]  # the first one is all that inference needs

    def __init__(self, name: str, input_shape: Shape, batch: int, block: int) -> None:
        super().__init__(name, input_shape)
        self.channels, *image = input_shape
        self._y = self.output((batch, *image, self.channels))
        self._dx = self.input_gradient(self._y.shape)
        self._per = normalization.whole_pixels(block, self.channels)

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return self.passes if training else self.passes[:1]

    def _blocks(self, images: Array) -> int:
        return -(-images.size // self._per)

    def _run(self, kernel: Any, work: int, images: tuple[Array, ...], *args: Any) -> None:
        """Run a kernel over the blocks of ``images``, with ``work`` operations a number."""
        size, blocks = images[0].size, self._blocks(images[0])
        launch(kernel, blocks, work * size, *(flat(a) for a in images), *args)


@dataclass(frozen=True, slots=True)
class ChunkBlocks:
    """The blocks of a batch, cut so that none lies in two chunks of its images.

    ``bounds`` are where they begin, and the end of the last one; ``firsts`` the first block of each
    chunk, and the end of the last one; ``full`` which chunks have any; ``sizes`` the count of
    numbers in each block, float64.
    """

    bounds: Array
    firsts: Array
    full: Array
    sizes: Array

    @classmethod
    def of(cls, bounds: Array, size: int, per: int) -> ChunkBlocks:
        """Return the blocks of up to ``per`` numbers of images with ``size`` numbers each.

        ``bounds`` are those of the chunks (`pellucid.distributed.Share.bounds`).
        """
        return _cut(bounds.tobytes(), size, per)

    @classmethod
    def of_one_chunk(cls, images: int, size: int, per: int) -> ChunkBlocks:
        """Return the blocks of these images, for what is not summed over several of them."""
        return cls.of(np.array([0, images]), size, per)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def chunk_sums(self, parts: Array) -> Array:
        """Return the sum (chunks, ...) of each chunk's ``parts``, in order."""
        sums = np.zeros((len(self.full), *parts.shape[1:]))
        if len(self):
            sums[self.full] = np.add.reduceat(parts, self.firsts[:-1][self.full], axis=0)
        return sums


@lru_cache(maxsize=64)
def _cut(bounds: bytes, size: int, per: int) -> ChunkBlocks:
    edges = np.frombuffer(bounds, np.int64) * size
    full = np.diff(edges) > 0
    counts = -(-np.diff(edges) // per)
    firsts = np.append(0, np.cumsum(counts))
    within = np.arange(firsts[-1]) - np.repeat(firsts[:-1], counts)
    ends = np.append(np.repeat(edges[:-1], counts) + within * per, edges[-1])
    return ChunkBlocks(ends, firsts, full, np.diff(ends).astype(np.float64))
