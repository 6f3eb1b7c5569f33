"""Data sets by name, from wherever they are.

A set is looked for in this order, and read from the first place that has all its files:

1. the folder given as ``root``; then nothing else is looked at, and nothing is downloaded;
2. the folder that the environment variable ``PELLUCID_DATA`` names, or one inside it;
3. the operating system's package of the set, where there is one;
4. Pellucid's own cache, to which it is downloaded if need be.

In a folder the files may be gzipped or not, spelled ``train-images-idx3-ubyte`` or
``train-images.idx3-ubyte``, or lie in torchvision's layout, ``MNIST/raw``. CIFAR-10, CIFAR-100,
STL-10 and SVHN are read from their unpacked archives, in either place of the two that are yours.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError, FileFormatError
from ..typing import PathLike
from .dataset import Dataset
from .download import download as download_source
from .download import mismatch
from .file_set_reader import read_file_set
from .file_sets import FILE_SETS
from .idx import checksum, read_idx
from .places import Place, cached, find, not_found
from .sources import FILES, Source, source_named

__all__ = [
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
]


def load(
    name: str, root: PathLike | None = None, *, download: bool = True
) -> tuple[Dataset, Dataset]:
    """Return the training and the test set called ``name``.

    Parameters
    ----------
    name : str
        ``"mnist"``, ``"fashion-mnist"``, ``"digits"``, ``"cifar10"``, ``"cifar100"``, ``"stl10"``
        or ``"svhn"``.
    root : str or path, optional
        The folder with the files. They may be a part of the set, or your own in its form.
    download : bool
        Whether to fetch a set that is nowhere on this machine; only the first two can be fetched.

    Returns
    -------
    train, test : Dataset
        uint8 images (N, C, H, W), int64 labels (N,).

    Raises
    ------
    ArgumentError
        If there is no set of this name.
    DataNotFoundError
        If its files are nowhere; says where was looked, and what to put where.
    FileFormatError
        If a file is damaged or does not fit the others.

    Examples
    --------
    >>> train, test = load("digits")
    >>> train
    Dataset('digits', train: 1438 images 1x8x8, 10 classes)
    """
    if name in FILE_SETS:
        return read_file_set(FILE_SETS[name], root)
    source = source_named(name)
    place = find(source, root)
    may_fetch = download and root is None and not source.bundled
    if place is None:
        if not may_fetch:
            raise not_found(source, root)
        place = _fetched(source)
    try:
        return _read(source, place, "train"), _read(source, place, "test")
    except FileFormatError:
        if not (place.ours and may_fetch):
            raise
    place = _fetched(source)  # a damaged cache is ours to mend
    return _read(source, place, "train"), _read(source, place, "test")


def mnist(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return MNIST, 60,000 + 10,000 handwritten digits of 28x28; arguments as in `load`."""
    return load("mnist", root, download=download)


def fashion_mnist(
    root: PathLike | None = None, *, download: bool = True
) -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST, 60,000 + 10,000 garments of 28x28; arguments as in `load`."""
    return load("fashion-mnist", root, download=download)


def digits() -> tuple[Dataset, Dataset]:
    """Return the 1,438 + 359 handwritten digits of 8x8 that come with Pellucid.

    Examples
    --------
    >>> train, test = digits()
    >>> train.image_shape, len(test), train.peak
    ((1, 8, 8), 359, 16)
    """
    return load("digits")


def _fetched(source: Source) -> Place:
    download_source(source)
    return cached(source)


def _read(source: Source, place: Place, split: str) -> Dataset:
    """Read one split, and check that its files belong together."""
    arrays = []
    for name in FILES[split]:
        path = place.files[name]
        arrays.append(read_idx(path))
        if place.ours and checksum(arrays[-1]) != source.sha256[name]:
            raise FileFormatError(mismatch(path, name, source))
    images, labels = arrays
    image_path, label_path = (place.files[name] for name in FILES[split])
    _, h, w = source.image_shape
    if images.shape[1:] != (h, w):
        raise FileFormatError(
            f"'{image_path}' holds an array of shape {images.shape}; the images of {source.title} "
            f"are of shape (N, {h}, {w}). Does the file belong to another set?"
        )
    try:
        return Dataset(
            images[:, np.newaxis], labels, source.classes, source.name, source.peak, split
        )
    except DataError as error:
        raise FileFormatError(
            f"'{label_path}' and '{image_path.name}' do not fit together: {error}"
        ) from error
