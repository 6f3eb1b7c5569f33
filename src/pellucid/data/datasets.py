"""Load the data sets of the catalogue.

A set is searched for in this order, and read from the first location that has all its files:

1. the folder given as ``root``; then nothing else is searched, and nothing is downloaded;
2. the folder that the environment variable ``PELLUCID_DATA`` names, or one inside it;
3. the operating system's package of the set, if it has one;
4. Pellucid's own cache, to which the set is downloaded if it is nowhere.

In a folder the files of MNIST and its successors may be gzipped or not, spelled
``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``, or be in torchvision's layout,
``MNIST/raw``. Sets that are published as archives are read from the unpacked archive.
"""

from __future__ import annotations

from typing import Protocol

from ..errors import DataError, FileFormatError
from ..typing import PathLike
from .catalogue import CATALOGUE, source_named
from .data_source import DataSource
from .dataset import Dataset
from .download import download_source, mismatch
from .locations import Location, find, not_found

__all__ = [
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
    "read_part",
    "stl10",
    "svhn",
]


def load(
    name: str, root: PathLike | None = None, *, download: bool = True
) -> tuple[Dataset, Dataset]:
    """Return the training and the test set called ``name``.

    Parameters
    ----------
    name : str
        The name of a set, such as ``"mnist"``; `available` lists them all.
    root : str or path, optional
        The folder with the files. They may be a part of the set, or your own in the same form.
    download : bool
        Whether to download a set that is nowhere on this machine; `Record.download_size` is the
        number of bytes (STL-10: 2.6 GB, most of them images without labels).

    Returns
    -------
    train, test : Dataset
        uint8 images (N, C, H, W), int64 labels (N,).

    Raises
    ------
    ArgumentError
        If there is no set of this name.
    DataNotFoundError
        If its files are nowhere; lists the places searched, and says what to put where.
    FileFormatError
        If a file is damaged or does not fit the others.

    Examples
    --------
    >>> train, test = load("digits")
    >>> train
    Dataset('digits', train: 1438 images 1x8x8, 10 classes)
    """
    source = source_named(name)
    location = find(source, root)
    may_download = download and root is None and not source.bundled
    if location is not None:
        try:
            return read_part(source, location, "train"), read_part(source, location, "test")
        except FileFormatError:
            if not (may_download and location.ours):
                raise
    elif not may_download:
        raise not_found(source, root)
    location = download_source(source, again=location is not None)
    return read_part(source, location, "train"), read_part(source, location, "test")


def read_part(source: DataSource, location: Location, split: str) -> Dataset:
    """Read the files of one part, ``"train"`` or ``"test"``.

    Raises
    ------
    FileFormatError
        If a file is damaged, of another form or, in the cache, not the published one.
    """
    form = location.form
    names = form.train if split == "train" else form.test
    paths = [location.files[name] for name in names]
    images, labels = form.reader.read(paths, source.image_shape)
    if location.ours and form.reader.sha256_of_part is not None:
        for path, name, found in zip(
            paths, names, form.reader.sha256_of_part(images, labels), strict=True
        ):
            published = form.single(name)
            if published is not None and published.sha256 != found:
                raise FileFormatError(mismatch(path, published, source, form))
    try:
        return Dataset(
            images, labels, source.classes, source.name, source.peak, split, source.preparation
        )
    except DataError as error:
        first, *others = paths
        files = " and ".join((f"'{first}'", *(f"'{path.name}'" for path in others)))
        verb = "do" if others else "does"
        raise FileFormatError(f"{files} {verb} not fit {source.title}: {error}") from error


class _Load(Protocol):
    def __call__(
        self, root: PathLike | None = None, *, download: bool = True
    ) -> tuple[Dataset, Dataset]: ...


def _shortcut(name: str) -> _Load:
    """Return `load` of one set, with a docstring from the catalogue."""

    def load_named(
        root: PathLike | None = None, *, download: bool = True
    ) -> tuple[Dataset, Dataset]:
        return load(name, root, download=download)

    source = CATALOGUE[name]
    _, h, w = source.image_shape
    load_named.__name__ = load_named.__qualname__ = name.replace("-", "_")
    load_named.__doc__ = (
        f"Return {source.title}, {source.train:,} + {source.test:,} images of {h}x{w} in "
        f"{len(source.classes)} classes; arguments as in `load`."
    )
    return load_named


mnist = _shortcut("mnist")
fashion_mnist = _shortcut("fashion-mnist")
cifar10 = _shortcut("cifar10")
cifar100 = _shortcut("cifar100")
stl10 = _shortcut("stl10")
svhn = _shortcut("svhn")


def digits() -> tuple[Dataset, Dataset]:
    """Return the 1,438 + 359 handwritten digits of 8x8 that come with Pellucid.

    Examples
    --------
    >>> train, test = digits()
    >>> train.image_shape, len(test), train.peak
    ((1, 8, 8), 359, 16)
    """
    return load("digits")
