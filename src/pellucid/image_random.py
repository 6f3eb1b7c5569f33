"""Random numbers per image, independent of batch, order and process.

With a sequential generator an image's numbers depend on all batches before it, so that two
machines, each with half of every batch, would draw differently than one. Here the numbers are a
function of (seed, name, epoch, image), by the counters of `pellucid.ops.philox`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import ArgumentError
from .ops.philox import philox
from .typing import Array

__all__ = ["ImageRandom", "permutation"]

Size = int | tuple[int, ...]


class ImageRandom:
    """Draw random numbers per image of a batch, by `numpy.random.Generator`'s methods.

    `at` sets the epoch and the images of the next batch. If the first axis of ``size`` has the
    length of the batch, as in ``rng.random(x.shape)``, each image gets its own numbers; draws of
    any other size are made once for the batch, from its first image. Several draws for one batch
    give different numbers.

    `random`, `uniform` and `integers` have 32 bits (fractions are multiples of 2**-32) and are
    vectorised over the images. Every other method of NumPy's Generator, such as `normal`, is called
    image by image.

    Parameters
    ----------
    seed : int
        0 or more.
    name : str
        Generators with different names draw different numbers.

    Examples
    --------
    >>> rng = ImageRandom(0, "dropout")
    >>> rng.at(epoch=3, images=[7, 8, 9])
    >>> rows = rng.random((3, 5))
    >>> rng.at(epoch=3, images=[9, 7])
    >>> bool((rng.random((2, 5)) == rows[[2, 0]]).all())
    True
    """

    def __init__(self, seed: int, name: str) -> None:
        self.seed, self.name = seed, name
        self.key: tuple[int, int] = tuple(_sequence(seed, name).generate_state(2).tolist())
        self.at(0, [0])

    def at(self, epoch: int, images: Array | list[int], first: int | None = None) -> None:
        """Move to these images (N,) of this epoch; both count from 0.

        ``first`` is the first image of the batch, if these are only a part of it.
        """
        self.epoch, self.images = epoch, np.asarray(images, dtype=np.int64)
        self.first = self.images[:1] if first is None else np.array([first], dtype=np.int64)
        self.drawn = 0  # blocks of four words, per image

    def counters(self, count: int) -> int:
        """Reserve ``count`` words per image; return the number of the first block of four.

        Word w of an image is word ``w // B`` of block ``first + w % B``, of B = ⌈count / 4⌉.
        """
        first = self.drawn
        self.drawn += -(-count // 4)
        return first

    def random(self, size: Size = 1, dtype: Any = np.float64) -> Array:
        """Return numbers from [0, 1)."""
        if np.dtype(dtype) == np.float32:  # 24 bits are the precision below 1
            return (self._words(size) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return (self._words(size) * 2.0**-32).astype(dtype, copy=False)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Size = 1) -> Array:
        """Return numbers from [low, high)."""
        return low + (np.asarray(high) - low) * self.random(size)

    def integers(self, low: Any, high: Any = None, size: Size = 1) -> Array:
        """Return integers from [low, high), or [0, low) without ``high``; up to 2**32 of them."""
        low, high = (0, low) if high is None else (low, high)
        low, high = np.asarray(low), np.asarray(high)
        if np.any(high <= low) or np.any(high - low > 2**32):
            raise ArgumentError(
                f"needs low < high and 2**32 values at most, received low {low}, high {high}.",
                where="integers",
            )
        # The high half of a 64-bit product.
        scaled = self._words(size).astype(np.uint64) * (high - low).astype(np.uint64)
        return low + (scaled >> np.uint64(32)).astype(np.int64)

    def _words(self, size: Size) -> Array:
        """Return uint32 words of shape ``size``."""
        shape = (size,) if isinstance(size, int) else tuple(size)
        by_image = bool(shape) and shape[0] == len(self.images)
        images = self.images if by_image else self.first
        count = math.prod(shape[1:] if by_image else shape)
        first, blocks = self.counters(count), -(-count // 4)
        block = np.arange(first, first + blocks)
        low, high = images[:, np.newaxis] & 0xFFFFFFFF, images[:, np.newaxis] >> 32
        words = philox(self.key, block, low, high, self.epoch)
        return np.concatenate(words, axis=1)[:, :count].reshape(shape)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not hasattr(np.random.Generator, name):
            raise AttributeError(f"'ImageRandom' object has no attribute {name!r}")

        def draw(*args: Any, size: Size | None = None, **options: Any) -> Any:
            shape = (size,) if isinstance(size, int) else size
            first = self.counters(1)
            if not shape or shape[0] != len(self.images):
                arguments = options if size is None else options | {"size": size}
                return getattr(self._generator(first, self.first[0]), name)(*args, **arguments)
            each = [
                getattr(self._generator(first, n), name)(*args, size=shape[1:], **options)
                for n in self.images
            ]
            return np.stack(each)

        return draw

    def _generator(self, block: int, image: int) -> np.random.Generator:
        sequence = _sequence(self.seed, self.name, self.epoch, int(image), block)
        return np.random.Generator(np.random.Philox(sequence))


def permutation(seed: int, epoch: int, n: int) -> Array:
    """Return a random order (n,) of an epoch's images.

    Examples
    --------
    >>> permutation(seed=0, epoch=0, n=5), permutation(seed=0, epoch=1, n=5)
    (array([0, 3, 4, 1, 2]), array([3, 0, 2, 4, 1]))
    """
    return np.random.default_rng(_sequence(seed, "shuffle", epoch)).permutation(n)


def _sequence(seed: int, name: str, *numbers: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()), *numbers))
