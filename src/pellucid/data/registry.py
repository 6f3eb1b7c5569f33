"""What data sets there are, where they are on this machine, and whether their files are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..typing import PathLike
from .download import download, mismatch
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
        The folder it would be read from now; None if it would have to be downloaded.
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
    licence: str
    citation: str


def available() -> list[Record]:
    """Return what is known of every data set, and where it is on this machine.

    Examples
    --------
    >>> [record.name for record in available()]
    ['mnist', 'fashion-mnist', 'digits']
    """
    return [
        Record(
            name=source.name,
            title=source.title,
            image_shape=source.image_shape,
            classes=source.classes,
            train=source.train,
            test=source.test,
            where=place.folder if (place := find(source)) else None,
            licence=source.licence,
            citation=source.citation,
        )
        for source in SOURCES.values()
    ]


def fetch(name: str) -> Path:
    """Download what our cache lacks of the set called ``name``; return the folder with its files.

    Raises
    ------
    ArgumentError
        If there is no set of this name.
    DataNotFoundError
        If no mirror has it; says what to put where instead.
    """
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
