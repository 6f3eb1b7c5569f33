"""The images: MNIST if it is found, else random ones with the statistics of real images.

As a script, prints as JSON whether MNIST is found.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pellucid import data
from pellucid.errors import DataNotFoundError

__all__ = ["Batch", "batches", "mnist_or_none"]

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]

# CIFAR-10's, a channel each.
MEAN, DEVIATION = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def mnist_or_none() -> tuple[data.Dataset, data.Dataset] | None:
    """Return MNIST from the folder PELLUCID_TEST_MNIST, or from wherever else it is found."""
    try:
        return data.mnist(os.environ.get("PELLUCID_TEST_MNIST"), download=False)
    except DataNotFoundError:
        return None


def batches(image: tuple[int, int, int], batch: int) -> Iterator[Batch]:
    """Yield batches of ``image`` size endlessly, the same for every caller."""
    rng = np.random.default_rng(0)
    mnist = mnist_or_none() if image == (1, 28, 28) else None
    if mnist is not None:
        train, _ = mnist
        while True:
            yield train.batch(rng.choice(len(train), batch))
    while True:
        labels = rng.integers(0, 10, batch)
        make = _like_digits if image[0] == 1 else _like_photographs
        yield make(rng, labels, image), labels


def _like_digits(
    rng: np.random.Generator, labels: NDArray[np.int64], image: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return dark images with a bright patch, whose position is the class."""
    x = np.zeros((len(labels), *image), dtype=np.float32)
    for one, label in zip(x, labels, strict=True):
        place = one[:, 2 * label : 2 * label + 6, 4 : image[2] - 8]
        place[:] = rng.random(place.shape, dtype=np.float32)
    return x


def _like_photographs(
    rng: np.random.Generator, labels: NDArray[np.int64], image: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return images whose spectrum falls with the frequency, as photographs' do.

    Mean and deviation of each channel are CIFAR-10's; one row of the image is lit up for the class.
    """
    _, h, w = image
    frequency = np.hypot(np.fft.fftfreq(h)[:, np.newaxis], np.fft.rfftfreq(w))
    spectrum = np.fft.rfft2(rng.standard_normal((len(labels), *image)))
    x = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / h), s=(h, w))
    x /= x.std()
    x = x * np.reshape(DEVIATION, (-1, 1, 1)) + np.reshape(MEAN, (-1, 1, 1))
    for one, label in zip(x, labels, strict=True):
        one[:, 3 * label : 3 * label + 3] += 0.2
    return x.clip(0, 1).astype(np.float32)


if __name__ == "__main__":
    print(json.dumps({"mnist": mnist_or_none() is not None}))
