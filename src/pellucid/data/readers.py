"""The formats of data sets: how files on disk become uint8 images and int64 labels.

A new format is one more `Reader` here, which the catalogue names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import FileFormatError
from ..typing import Array
from .idx import checksum, read_idx
from .mat_file import read_mat

__all__ = [
    "CIFAR10",
    "CIFAR10_PICKLED",
    "CIFAR100",
    "CIFAR100_PICKLED",
    "IDX",
    "STL10",
    "SVHN",
    "Reader",
]

MAX_FILE = 2**31

ImagesAndLabels = tuple[Array, Array]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reader:
    """How the files of one format are named, read and compared with their SHA-256.

    Attributes
    ----------
    read : callable
        Takes the files of one part and the shape of an image, (C, H, W); returns uint8 images
        (N, C, H, W) and integer labels (N,). Raises `FileFormatError` with the file's path.
    spellings : callable
        Takes the name of a file; returns the names it may have on disk, the fastest to read first.
    sha256 : callable, optional
        Takes a file and the most bytes it may declare; returns the SHA-256 to compare with the
        table, where it is not that of the file's own bytes, which depend on how they were
        compressed.
    sha256_of_part : callable, optional
        Takes what ``read`` returned; returns the same SHA-256 of each file of the part. With it
        every file in the cache is compared whenever it is read.
    """

    read: Callable[[Sequence[Path], ImageShape], ImagesAndLabels]
    spellings: Callable[[str], tuple[str, ...]] = lambda name: (name,)
    sha256: Callable[[Path, int], str] | None = None
    sha256_of_part: Callable[[Array, Array], tuple[str, ...]] | None = None


def _idx(paths: Sequence[Path], image_shape: ImageShape) -> ImagesAndLabels:
    """Read a file of images (N, H, W) and one of labels (N,)."""
    images, labels = map(read_idx, paths)
    _, h, w = image_shape
    if images.shape[1:] != (h, w):
        raise FileFormatError(
            f"'{paths[0]}' holds an array of shape {images.shape}; expected is (N, {h}, {w}). Does "
            "the file belong to another data set?"
        )
    return images[:, np.newaxis], labels


def _idx_spellings(name: str) -> tuple[str, ...]:
    dotted = name.replace("-idx", ".idx")
    return name, dotted, f"{name}.gz", f"{dotted}.gz"


IDX = Reader(
    _idx,
    _idx_spellings,
    lambda path, max_bytes: checksum(read_idx(path, max_bytes=max_bytes)),
    lambda images, labels: (checksum(images[:, 0]), checksum(labels)),
)


def _records(path: Path, size: int) -> Array:
    """Return a file of records of ``size`` bytes each, (N, size)."""
    length = path.stat().st_size
    if length == 0 or length % size or length > MAX_FILE:
        raise FileFormatError(
            f"'{path}' has {length} bytes; expected are records of {size} bytes each, at most "
            f"{MAX_FILE // size}. Fetch or copy the file again."
        )
    return np.fromfile(path, np.uint8).reshape(-1, size)


def _concatenated(parts: Sequence[ImagesAndLabels]) -> ImagesAndLabels:
    """Return the images and labels of several files in one contiguous array each."""
    images = np.empty((sum(len(x) for x, _ in parts), *parts[0][0].shape[1:]), np.uint8)
    np.concatenate([x for x, _ in parts], out=images)
    return images, np.concatenate([t for _, t in parts])


def _cifar(paths: Sequence[Path], image_shape: ImageShape, *, labels: int) -> ImagesAndLabels:
    """Read records of ``labels`` bytes, the last of which is the class, and one image."""
    files = [_records(path, labels + math.prod(image_shape)) for path in paths]
    return _concatenated(
        [
            (r[:, labels:].reshape(-1, *image_shape), r[:, labels - 1].astype(np.int64))
            for r in files
        ]
    )


def _pickled(paths: Sequence[Path], image_shape: ImageShape, *, key: str) -> ImagesAndLabels:
    """Read pickled dicts with ``data``, (N, C·H·W), and a list of labels under ``key``."""
    from .pickled_batch import read_pickled_batch  # here, as it imports the layers

    pixels, parts = math.prod(image_shape), []
    for path in paths:
        if path.stat().st_size > MAX_FILE:
            raise FileFormatError(f"'{path}' has more than {MAX_FILE} bytes.")
        batch = read_pickled_batch(path.read_bytes(), f"'{path}'")
        images, labels = batch.get("data"), batch.get(key)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2:
            raise FileFormatError(f"'{path}' holds no byte array 'data' of shape (N, {pixels}).")
        integers = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
        integers |= isinstance(labels, list) and all(type(t) is int for t in labels)
        if labels is None or not integers:
            raise FileFormatError(f"'{path}' holds no list of integers {key!r}.")
        if images.shape[1:] != (pixels,) or len(labels) != len(images) or not len(images):
            raise FileFormatError(
                f"'{path}' holds images {images.shape} and {len(labels)} labels; expected are "
                f"(N, {pixels}) and N."
            )
        parts.append((images.reshape(-1, *image_shape), np.array(labels, dtype=np.int64)))
    return _concatenated(parts)


CIFAR10 = Reader(partial(_cifar, labels=1))
CIFAR10_PICKLED = Reader(partial(_pickled, key="labels"))
CIFAR100 = Reader(partial(_cifar, labels=2))  # of the superclass, of the class
CIFAR100_PICKLED = Reader(partial(_pickled, key="fine_labels"))


def _stl10(paths: Sequence[Path], image_shape: ImageShape) -> ImagesAndLabels:
    """Read images stored column by column, and labels counted from 1."""
    images = _records(paths[0], math.prod(image_shape)).reshape(-1, *image_shape).swapaxes(2, 3)
    labels = _records(paths[1], 1)[:, 0].astype(np.int64) - 1
    return np.ascontiguousarray(images), labels


STL10 = Reader(_stl10)


def _svhn(paths: Sequence[Path], image_shape: ImageShape) -> ImagesAndLabels:
    """Read X (H, W, C, N) and y (N, 1), in which 10 is the digit 0."""
    arrays = read_mat(paths[0], ("X", "y"))
    x, y = arrays.get("X"), arrays.get("y")
    c, h, w = image_shape
    if x is None or y is None or x.dtype != np.uint8 or x.shape[:-1] != (h, w, c):
        shapes = {name: f"{a.dtype} {a.shape}" for name, a in arrays.items()}
        raise FileFormatError(
            f"'{paths[0]}' holds {shapes or 'neither X nor y'}; expected are X, bytes of shape "
            f"({h}, {w}, {c}, N), and y."
        )
    labels = y.ravel().astype(np.int64)
    return np.ascontiguousarray(x.transpose(3, 2, 0, 1)), np.where(labels == 10, 0, labels)


SVHN = Reader(_svhn)
