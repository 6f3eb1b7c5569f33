"""What data sets there are, where they are on this machine, and whether their files are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError
from ..typing import PathLike
from .download import download, mismatch
from .file_set_download import download_file_set
from .file_set_reader import file_set_not_found, find_file_set, read_part
from .file_sets import FILE_SETS, FileSet
from .places import Place, find, look, not_found
from .sources import FILE_NAMES, SOURCES, Source, source_named

__all__ = ["FileCheck", "Record", "available", "fetch", "verify"]


@dataclass(frozen=True, slots=True)
class Record:
    """A line in the list of data sets.

    Attributes
    ----------
    name, title : str
        What to ask for; how it is written.
    image_shape : (int, int, int)
        (C, H, W).
    classes : tuple of str
        The class names.
    train, test : int
        Images in each split.
    where : Path or None
        The folder it would be read from now; None if it would have to be fetched first.
    download_size : int
        The bytes that `fetch` downloads if nothing is here yet; 0 if it comes with Pellucid.
    licence, citation : str
        Its terms; whom to credit.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: int
    test: int
    where: Path | None
    download_size: int
    licence: str
    citation: str


def available() -> list[Record]:
    """Return what is known of every data set, and where it is on this machine.

    Examples
    --------
    >>> [record.name for record in available()]
    ['mnist', 'fashion-mnist', 'digits', 'cifar10', 'cifar100', 'stl10', 'svhn']
    """
    places = {name: here.folder for name, s in SOURCES.items() if (here := find(s))}
    places |= {name: place.folder for name, s in FILE_SETS.items() if (place := find_file_set(s))}
    known: list[Source | FileSet] = [*SOURCES.values(), *FILE_SETS.values()]
    return [
        Record(
            name=source.name,
            title=source.title,
            image_shape=source.image_shape,
            classes=source.classes,
            train=source.train,
            test=source.test,
            where=places.get(source.name),
            download_size=source.download_size,
            licence=source.licence,
            citation=source.citation,
        )
        for source in known
    ]


def fetch(name: str) -> Path:
    """Download what our cache lacks of the set called ``name``; return the folder with its files.

    Of CIFAR-10, CIFAR-100, STL-10 and SVHN nothing is downloaded if you have put them where they
    are looked for.

    Raises
    ------
    ArgumentError
        If there is no set of this name.
    DataNotFoundError
        If no mirror has it, or there is no room; says what to put where instead.
    """
    if name in FILE_SETS:
        here = find_file_set(FILE_SETS[name])
        return (here if here and not here.ours else download_file_set(FILE_SETS[name])).folder
    source = source_named(name)
    return next(look(source)).folder if source.bundled else download(source)


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What `verify` found out about one file: its path, whether it is right, and if not, why."""

    path: Path
    ok: bool
    reason: str = ""


def verify(name: str, root: PathLike | None = None) -> list[FileCheck]:
    """Compare the four files of a set, uncompressed, with their known SHA-256.

    Of CIFAR-10, CIFAR-100, STL-10 and SVHN only what is downloaded has a known hash, and it was
    compared then: their files are read, and must be whole and hold as many images as they should.

    Parameters
    ----------
    name, root
        As in `load`.

    Returns
    -------
    list of FileCheck
        One for each file, in the order of the first place that has any of them.

    Raises
    ------
    DataNotFoundError
        If no place has any file of the set.

    Examples
    --------
    >>> [check.ok for check in verify("digits")]
    [True, True, True, True]
    """
    if name in FILE_SETS:
        return _read_all(FILE_SETS[name], root)
    source = source_named(name)
    place = find(source, root) or next((p for p in look(source, root) if p.files), None)
    if place is None:
        raise not_found(source, root)
    return [_check(source, place, file) for file in FILE_NAMES]


def _check(source: Source, place: Place, name: str) -> FileCheck:
    if name not in place.files:
        return FileCheck(place.folder / name, False, f"there is no '{name}' in '{place.folder}'.")
    path = place.files[name]
    reason = mismatch(path, name, source)
    return FileCheck(path, not reason, reason)


def _read_all(source: FileSet, root: PathLike | None) -> list[FileCheck]:
    found = find_file_set(source, root)
    if found is None:
        raise file_set_not_found(source, root)
    checks = []
    for split, names, images in (
        ("train", found.form.train, source.train),
        ("test", found.form.test, source.test),
    ):
        try:
            n = len(read_part(source, found, split))
            reason = "" if n == images else f"there are {n:,} images where {images:,} should be."
        except FileFormatError as error:
            reason = str(error)
        named = [name for name in names if f"{name}'" in reason] or names
        for name in names:
            wrong = reason if name in named else ""
            checks.append(FileCheck(found.folder / name, not wrong, wrong))
    return checks
