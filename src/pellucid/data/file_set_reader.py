"""Finding and reading the data sets of `file_sets`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .dataset import Dataset
from .file_sets import FileSet, Form
from .mat_file import read_mat
from .places import VARIABLE, cache_folder
from .user_folders import expanded

__all__ = ["FilePlace", "file_set_not_found", "find_file_set", "read_part"]

MAX_FILE = 2**31

Part = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A folder, and the form of a set that is looked for there.

    Attributes
    ----------
    folder : Path
    form : Form
    ours : bool
        Whether Pellucid puts files of this form there itself. Then they must be as large as the
        table says; somebody else's may be a subset, or their own data.
    """

    folder: Path
    form: Form
    ours: bool

    @property
    def lack(self) -> str:
        """Why the set cannot be read from here; empty if it can."""
        if not self.folder.is_dir():
            return "no such folder"
        for name in self.form.files:
            if not (self.folder / name).is_file():
                return f"no {name}"
        if not (self.ours and self.form.sizes):
            return ""
        for name, size in zip(self.form.files, self.form.sizes, strict=True):
            if (found := (self.folder / name).stat().st_size) != size:
                return f"{name} has {found:,} bytes, not {size:,}"
        return ""


def find_file_set(source: FileSet, root: PathLike | None = None) -> FilePlace | None:
    """Return the first place that has all files of a form of the set, or None."""
    return next((place for place in _look(source, root) if not place.lack), None)


def read_part(source: FileSet, place: FilePlace, split: str) -> Dataset:
    """Read the files of one part, ``"train"`` or ``"test"``.

    Raises
    ------
    FileFormatError
        If a file is damaged or of another form.
    """
    names = place.form.train if split == "train" else place.form.test
    paths = [place.folder / name for name in names]
    images, labels = READERS[place.form.reader](paths)
    try:
        return Dataset(images, labels, source.classes, source.name, split=split)
    except DataError as error:
        raise FileFormatError(f"'{paths[0]}' is no file of {source.title}: {error}") from error


def file_set_not_found(
    source: FileSet, root: PathLike | None = None, tried: Sequence[str] = ()
) -> DataNotFoundError:
    """Return an error that says where was looked, what was tried, what to get, and where to put it.

    Parameters
    ----------
    source, root
        As given to `find_file_set`.
    tried : sequence of str
        A line for each mirror that failed.
    """
    lines = ["the data set is not there. Looked in"]
    # Two forms may be looked for in one folder, and lack the same.
    lines += dict.fromkeys(
        f"  {place.folder}: {place.lack or 'damaged'}" for place in _look(source, root)
    )
    if tried:
        lines += ["Tried to download it from", *(f"  {line}" for line in tried)]
    elif root is None:
        lines.append("No download was tried.")
    archives = " or ".join(form.archive for form in source.forms)
    lines.append(f"Get {archives} from {source.home}")
    where = "Unpack it" if any(form.sizes for form in source.forms) else "Put both into one folder"
    lines.append(
        f"{where}, and pass the folder as root=..., or name it in the environment variable "
        f"{VARIABLE}."
        if root is None
        else f"{where}; a folder that is named as root=... is the only place that is looked in."
    )
    return DataNotFoundError("\n".join(lines), where=source.title)


def _look(source: FileSet, root: PathLike | None) -> Iterator[FilePlace]:
    """Yield each folder with a form that may lie there, in the order of `sets`."""
    cache = cache_folder(source)
    if root is not None:
        bases = [expanded(root)]
    else:
        named = os.environ.get(VARIABLE)
        bases = [expanded(named)] if named else []
        bases.append(cache.parent)
    for base in bases:
        for form in source.forms:
            # The folder that was named comes before any folder inside it.
            for inside in sorted(form.subfolders, key=lambda sub: sub != "." or root is None):
                folder = base / inside
                ours = root is None and folder == cache and bool(form.remotes)
                yield FilePlace(folder, form, ours)


def _content(path: Path, row: int) -> Array:
    """Return a file of whole rows of bytes, (N, row)."""
    size = path.stat().st_size
    if size == 0 or size % row or size > MAX_FILE:
        raise FileFormatError(
            f"'{path}' has {size} bytes; expected are whole records of {row} bytes each, at most "
            f"{MAX_FILE // row}. Fetch or copy the file again."
        )
    return np.fromfile(path, np.uint8).reshape(-1, row)


def _together(parts: Sequence[Part]) -> Part:
    """Return the images and labels of several files in one array each."""
    images = np.empty((sum(len(x) for x, _ in parts), *parts[0][0].shape[1:]), np.uint8)
    np.concatenate([x for x, _ in parts], out=images)
    return images, np.concatenate([t for _, t in parts])


def _cifar_binary(paths: Sequence[Path], labels: int) -> Part:
    """Read records of ``labels`` bytes, of which the last is the class, and 3x32x32 pixels."""
    rows = [_content(path, labels + 3072) for path in paths]
    return _together(
        [(r[:, labels:].reshape(-1, 3, 32, 32), r[:, labels - 1].astype(np.int64)) for r in rows]
    )


def _cifar_python(paths: Sequence[Path], key: str) -> Part:
    """Read pickled dicts with ``data``, (N, 3072), and a list of labels under ``key``."""
    from .pickled_batch import read_pickled_batch  # which leads to the layers

    parts = []
    for path in paths:
        if path.stat().st_size > MAX_FILE:
            raise FileFormatError(f"'{path}' has more than {MAX_FILE} bytes.")
        batch = read_pickled_batch(path.read_bytes(), f"'{path}'")
        images, labels = batch.get("data"), batch.get(key)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2:
            raise FileFormatError(f"'{path}' holds no 'data' that is an array (N, 3072) of bytes.")
        numbers = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
        numbers |= isinstance(labels, list) and all(type(t) is int for t in labels)
        if labels is None or not numbers:
            raise FileFormatError(f"'{path}' holds no {key!r} that is a list of whole numbers.")
        if images.shape[1:] != (3072,) or len(labels) != len(images) or not len(images):
            raise FileFormatError(
                f"'{path}' holds images {images.shape} and {len(labels)} labels; expected are "
                "(N, 3072) and N."
            )
        parts.append((images.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64)))
    return _together(parts)


def _stl10(paths: Sequence[Path]) -> Part:
    """Read images of 3x96x96, column by column, and labels that count from 1."""
    images = _content(paths[0], 3 * 96 * 96).reshape(-1, 3, 96, 96).swapaxes(2, 3)
    labels = _content(paths[1], 1)[:, 0].astype(np.int64) - 1
    return np.ascontiguousarray(images), labels


def _svhn(paths: Sequence[Path]) -> Part:
    """Read X (32, 32, 3, N) and y (N, 1), where 10 stands for the digit 0."""
    arrays = read_mat(paths[0], ("X", "y"))
    x, y = arrays.get("X"), arrays.get("y")
    if x is None or y is None or x.dtype != np.uint8 or x.shape[:-1] != (32, 32, 3):
        shapes = {name: f"{a.dtype} {a.shape}" for name, a in arrays.items()}
        raise FileFormatError(
            f"'{paths[0]}' holds {shapes or 'neither X nor y'}; expected are X, bytes of shape "
            "(32, 32, 3, N), and y."
        )
    labels = y.ravel().astype(np.int64)
    return np.ascontiguousarray(x.transpose(3, 2, 0, 1)), np.where(labels == 10, 0, labels)


READERS: dict[str, Callable[[Sequence[Path]], Part]] = {
    "cifar10-binary": lambda paths: _cifar_binary(paths, 1),
    "cifar10-python": lambda paths: _cifar_python(paths, "labels"),
    "cifar100-binary": lambda paths: _cifar_binary(paths, 2),  # of the superclass, of the class
    "cifar100-python": lambda paths: _cifar_python(paths, "fine_labels"),
    "stl10": _stl10,
    "svhn": _svhn,
}
