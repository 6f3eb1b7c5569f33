"""Data sets by name, from wherever they are.

A set is looked for in this order, and read from the first place that has all its files:

1. the folder given as ``root``; then nothing else is looked at, and nothing is downloaded;
2. the folder that the environment variable ``PELLUCID_DATA`` names, or one inside it;
3. the operating system's package of the set, where there is one;
4. Pellucid's own cache, to which it is downloaded if need be.

In a folder the files may be gzipped or not, spelled ``train-images-idx3-ubyte`` or
``train-images.idx3-ubyte``, or lie in torchvision's layout, ``MNIST/raw``. CIFAR-10, CIFAR-100,
STL-10 and SVHN are read from their unpacked archives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from ..errors import DataError, FileFormatError
from ..typing import PathLike
from .dataset import Dataset
from .download import download as download_source
from .download import mismatch
from .file_set_download import download_file_set
from .file_set_reader import file_set_not_found, find_file_set, read_part
from .file_sets import FILE_SETS
from .idx import checksum, read_idx
from .places import Place, cached, find, not_found
from .sources import FILES, Source, source_named

__all__ = [
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
    "stl10",
    "svhn",
]


class _Ours(Protocol):
    @property
    def ours(self) -> bool: ...


Where = TypeVar("Where", bound=_Ours)


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
        Whether to fetch a set that is nowhere on this machine; `Record.download_size` tells how
        many bytes that is (STL-10: 2.6 GB, most of them images without labels).

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
    may_fetch = download and root is None
    if name in FILE_SETS:
        files = FILE_SETS[name]
        here = find_file_set(files, root)
        if here is None and not may_fetch:
            raise file_set_not_found(files, root)
        fetch = partial(download_file_set, files, again=here is not None)
        return _both(here, fetch if may_fetch else None, partial(read_part, files))
    source = source_named(name)
    place = find(source, root)
    may_fetch &= not source.bundled
    if place is None and not may_fetch:
        raise not_found(source, root)
    return _both(place, partial(_fetched, source) if may_fetch else None, partial(_read, source))


def mnist(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return MNIST, 60,000 + 10,000 handwritten digits of 28x28; arguments as in `load`."""
    return load("mnist", root, download=download)


def fashion_mnist(
    root: PathLike | None = None, *, download: bool = True
) -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST, 60,000 + 10,000 garments of 28x28; arguments as in `load`."""
    return load("fashion-mnist", root, download=download)


def cifar10(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return CIFAR-10, 50,000 + 10,000 photographs of 32x32; arguments as in `load`."""
    return load("cifar10", root, download=download)


def cifar100(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return CIFAR-100, 50,000 + 10,000 photographs in 100 classes; arguments as in `load`."""
    return load("cifar100", root, download=download)


def stl10(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return STL-10's labelled 5,000 + 8,000 photographs of 96x96; arguments as in `load`."""
    return load("stl10", root, download=download)


def svhn(root: PathLike | None = None, *, download: bool = True) -> tuple[Dataset, Dataset]:
    """Return SVHN, 73,257 + 26,032 house-number digits of 32x32; arguments as in `load`."""
    return load("svhn", root, download=download)


def digits() -> tuple[Dataset, Dataset]:
    """Return the 1,438 + 359 handwritten digits of 8x8 that come with Pellucid.

    Examples
    --------
    >>> train, test = digits()
    >>> train.image_shape, len(test), train.peak
    ((1, 8, 8), 359, 16)
    """
    return load("digits")


def _both(
    place: Where | None,
    fetch: Callable[[], Where] | None,
    read: Callable[[Where, str], Dataset],
) -> tuple[Dataset, Dataset]:
    """Read both parts from ``place``, or fetch them first; a damaged cache is ours to mend."""
    if place is not None:
        try:
            return read(place, "train"), read(place, "test")
        except FileFormatError:
            if fetch is None or not place.ours:
                raise
    assert fetch is not None  # or somebody has said before that there is nothing
    place = fetch()
    return read(place, "train"), read(place, "test")


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
            images[:, np.newaxis],
            labels,
            source.classes,
            source.name,
            source.peak,
            split,
            source.preparation,
        )
    except DataError as error:
        raise FileFormatError(
            f"'{label_path}' and '{image_path.name}' do not fit together: {error}"
        ) from error
