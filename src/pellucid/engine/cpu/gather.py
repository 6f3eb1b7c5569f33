"""The engine's way from stored images to a float32 batch: `pellucid.data.Dataset.batch`, faster."""

from __future__ import annotations

import numpy as np

from ...data import Dataset
from ...data.stored_images import on_disk
from ...kernels import gather
from ...kernels.blocks import blocks
from ...kernels.pool.threads import run
from ...memory import aligned_zeros
from ...typing import Array

__all__ = ["Gather"]


class Gather:
    """Called with a data set and what is chosen of it, does what ``dataset.batch(chosen)`` does.

    The images come in one buffer, which the next call overwrites.

    Examples
    --------
    >>> from pellucid.data import Loader
    >>> bytes = np.array([0, 51, 255], dtype=np.uint8).reshape(3, 1, 1, 1)
    >>> points = Dataset(bytes, np.array([0, 1, 1]), ("dark", "bright"), "points")
    >>> for x, labels in Loader(points, batch_size=2, gather=Gather()):
    ...     print(x.ravel(), labels)
    [0.  0.2] [0 1]
    [1.] [1]
    """

    def __init__(self) -> None:
        self._x = aligned_zeros(0)  # room; it grows to the largest batch

    def __call__(self, dataset: Dataset, chosen: Array) -> tuple[Array, Array]:
        """Return the images as ``images / peak``, (B, C, H, W) float32, and their labels."""
        if not _fits(dataset, chosen):
            return dataset.batch(chosen)
        images, labels = dataset.images, dataset.labels[chosen]  # refuses what is not there
        if on_disk(images):
            read = images[chosen]
            x = self._gathered(read, np.arange(len(read)), dataset.peak)
            images.recycle(read)
        else:
            x = self._gathered(images, chosen, dataset.peak)
        return x, labels

    def _gathered(self, images: Array, chosen: Array, peak: float) -> Array:
        size = images[0].size * len(chosen)
        if self._x.size < size:
            self._x = aligned_zeros(size)
        x = self._x[:size].reshape(len(chosen), -1)
        stored, tasks = images.reshape(len(images), -1), min(len(chosen), blocks(size))
        stored.flags.writeable = False  # one signature: images of a file may not be written to
        scale = 1 / float(np.float32(peak))
        run(gather.gather, tasks, stored, chosen.astype(np.int64, copy=False), scale, x, tasks)
        return x.reshape(-1, *images.shape[1:])


def _fits(dataset: Dataset, chosen: object) -> bool:
    """Return whether the kernel can do it: so many whole numbers, and quotients that are normal."""
    return (
        type(dataset) is Dataset
        and (on_disk(dataset.images) or dataset.images.flags.c_contiguous)
        and 1e-30 < dataset.peak < 1e30
        and isinstance(chosen, np.ndarray)
        and chosen.ndim == 1
        and chosen.dtype.kind in "iu"
        and len(chosen) > 0
    )
