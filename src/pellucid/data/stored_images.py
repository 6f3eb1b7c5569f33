"""Images that stay on disk, and are read when a batch needs them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from ..typing import Array

__all__ = [
    "ImageStore",
    "StoredImages",
    "as_images",
    "concatenated",
    "on_disk",
    "selected",
    "stored",
]

AT_ONCE = 2**24  # bytes that iterating over images reads at a time


class ImageStore(Protocol):
    """Where images are kept: a cache file, or the picture files themselves.

    Attributes
    ----------
    shape : (C, H, W)
        That of each image.
    workers : int
        The number of threads that may read at once.
    checks : uint32 array
        The CRC-32 of the pixels of each image.
    """

    shape: tuple[int, int, int]
    workers: int
    checks: Array

    def load(self, row: int, out: Array) -> None:
        """Read image ``row`` into ``out``, uint8 (C, H, W) in C order; any thread may call it.

        Raises
        ------
        DataError
            If it is not there any more, damaged, or was changed.
        """


class StoredImages:
    """Images (N, C, H, W) of uint8 on disk, used as a read-only array is.

    An index or a slice reads these images and returns an array; `np.asarray` reads all. `select`
    returns some of the images without reading them.

    Parameters
    ----------
    store : ImageStore
    rows : int64 array (N,)
        The images' places in the store.
    readers : optional
        Threads that read, shared with another selection of the same store.

    Examples
    --------
    >>> class Numbered:
    ...     shape, workers, checks = (1, 1, 2), 2, None
    ...
    ...     def load(self, row, out):
    ...         out[:] = row
    >>> images = StoredImages(Numbered(), np.arange(10))
    >>> images.shape, images[3].tolist(), images[[7, 2]].ravel()
    ((10, 1, 1, 2), [[[3, 3]]], array([7, 7, 2, 2], dtype=uint8))
    >>> images.select([4, 5])
    StoredImages(2 images 1x1x2)
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, store: ImageStore, rows: Array, readers: _Readers | None = None) -> None:
        self.store = store
        self.rows = np.asarray(rows, dtype=np.int64)
        self.shape = (len(self.rows), *store.shape)
        self._readers = readers or _Readers(store.workers)
        self._ahead: _Reading | None = None
        self._spare: list[Array] = []

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """The size of all images in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, index: Any) -> Array:
        """Return the image at ``index`` (C, H, W), or those of a slice or an array of integers."""
        rows = self.rows[index]
        return self._read(rows) if np.ndim(rows) else self._read(rows[np.newaxis])[0]

    def __iter__(self) -> Iterator[Array]:
        for part in self.parts():
            yield from part

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self[:] if dtype is None else self[:].astype(dtype)

    def __repr__(self) -> str:
        n, c, h, w = self.shape
        return f"StoredImages({n:,} image{'s' * (n != 1)} {c}x{h}x{w})"

    def max(self) -> int:
        """Return the largest byte of all images."""
        return max(int(part.max()) for part in self.parts())

    def parts(self) -> Iterator[Array]:
        """Yield all images in order, some at a time."""
        step = max(1, AT_ONCE // int(np.prod(self.shape[1:])))
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def select(self, index: Any) -> StoredImages:
        """Return the images of a slice or an array of indices, without reading them."""
        return StoredImages(self.store, self.rows[index], self._readers)

    def prefetch(self, chosen: Array) -> None:
        """Start reading the images ``chosen`` on other threads.

        If the next images that are read are these, they are there already; if they are others, what
        was read is dropped.
        """
        self._drop()
        rows = self.rows[chosen]
        self._ahead = _Reading(self.store, rows, self._buffer(len(rows)), self._readers)

    def recycle(self, images: Array) -> None:
        """Take back an array that ``images[indices]`` returned, to read other images into it."""
        self._spare = [images]

    def _read(self, rows: Array) -> Array:
        ahead, self._ahead = self._ahead, None
        if ahead is None or not np.array_equal(ahead.rows, rows):
            if ahead is not None:
                ahead.drop()
            ahead = _Reading(self.store, rows, self._buffer(len(rows)), self._readers)
        return ahead.result()

    def _drop(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.drop()

    def _buffer(self, n: int) -> Array:
        """Return room for ``n`` images; fresh memory costs as much as reading into it."""
        spare, self._spare = self._spare, []
        if spare and len(spare[0]) >= n:
            return spare[0][:n]
        return np.empty((n, *self.shape[1:]), np.uint8)


class _Reading:
    """Images that are being read by other threads."""

    def __init__(self, store: ImageStore, rows: Array, out: Array, readers: _Readers) -> None:
        self.rows, self._store, self._out = rows, store, out
        self._dropped = threading.Event()
        # Some parts more than threads: pictures differ in size, and with them their time.
        parts = min(len(rows), 4 * readers.workers if readers.workers > 1 else 1)
        cuts = np.linspace(0, len(rows), parts + 1).astype(int).tolist()
        self._running: list[Future[None]] = [
            readers.submit(self._load, start, stop) for start, stop in pairwise(cuts)
        ]

    def result(self) -> Array:
        """Wait until all images are there, and return them.

        Raises
        ------
        DataError
            If one cannot be read.
        """
        try:
            for future in self._running:
                future.result()
        except BaseException:
            self.drop()
            raise
        return self._out

    def drop(self) -> None:
        """Read no more images."""
        self._dropped.set()
        for future in self._running:
            future.cancel()

    def _load(self, start: int, stop: int) -> None:
        load, out = self._store.load, self._out
        for place, row in enumerate(self.rows[start:stop].tolist(), start):
            if self._dropped.is_set():
                return
            load(row, out[place])


class _Readers:
    """Threads that read, started when first needed, also in a forked child."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def submit(self, function: Any, *args: Any) -> Future[None]:
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self.workers, "pellucid-read")
            self._process = os.getpid()
        return self._pool.submit(function, *args)


def on_disk(images: object) -> TypeGuard[StoredImages]:
    """Return whether the images of a data set stay on disk."""
    return isinstance(images, StoredImages)


def stored(store: ImageStore, rows: Array) -> Array:
    """Return the images ``rows`` of a store, to be used in place of an array."""
    return cast("Array", StoredImages(store, rows))


def as_images(images: Any) -> Array:
    """Return an array; images on disk as they are."""
    return cast("Array", images) if on_disk(images) else np.asarray(images)


def selected(images: Array, index: Any) -> Array:
    """Return some of the images; of images on disk without reading them."""
    return cast("Array", images.select(index)) if on_disk(images) else images[index]


def concatenated(parts: Sequence[Array]) -> Array:
    """Return the images of all parts in one; of parts of one store without reading them."""
    kept = [part for part in parts if on_disk(part)]
    if len(kept) == len(parts) and len({id(part.store) for part in kept}) == 1:
        return stored(kept[0].store, np.concatenate([part.rows for part in kept]))
    return np.concatenate(list(parts))  # reads them
