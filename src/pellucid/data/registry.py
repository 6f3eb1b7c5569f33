"""List the data sets of the catalogue, fetch them, and check their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError
from ..typing import PathLike
from .catalogue import CATALOGUE, source_named
from .data_source import DataSource
from .datasets import read_part
from .download import download_source, mismatch
from .locations import Location, find, not_found, search

__all__ = ["FileCheck", "Record", "available", "fetch", "verify"]


@dataclass(frozen=True, slots=True)
class Record:
    """A line in the list of data sets.

    Attributes
    ----------
    name, title : str
        The name to load it by; its name in prose.
    image_shape : (int, int, int)
        (C, H, W).
    classes : tuple of str
        The class names.
    train, test : int
        The number of images in each part.
    where : Path or None
        The folder it would be read from now; None if it would have to be downloaded first.
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
    """Return a record of every data set: what it is, and where it is on this machine.

    Examples
    --------
    >>> [record.name for record in available()]
    ['mnist', 'fashion-mnist', 'digits', ...]
    """
    return [
        Record(
            name=source.name,
            title=source.title,
            image_shape=source.image_shape,
            classes=source.classes,
            train=source.train,
            test=source.test,
            where=location.folder if (location := find(source)) else None,
            download_size=source.download_size,
            licence=source.licence,
            citation=source.citation,
        )
        for source in CATALOGUE.values()
    ]


def fetch(name: str) -> Path:
    """Download the set called ``name`` unless it is here already; return the folder with its files.

    What is missing or damaged in the cache is downloaded again. Nothing is downloaded if you have
    put the files in another folder that is searched.

    Raises
    ------
    ArgumentError
        If there is no set of this name.
    DataNotFoundError
        If no mirror has it, or the disk is too full; says what to put where instead.
    """
    source = source_named(name)
    location = find(source)
    if location is None or (location.ours and not source.bundled):
        location = download_source(source)
    return location.folder


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What `verify` found out about one file: its path, whether it is right, and if not, why."""

    path: Path
    ok: bool
    reason: str = ""


def verify(name: str, root: PathLike | None = None) -> list[FileCheck]:
    """Read the files of a set, count the images, and compare each file's SHA-256.

    Of files that come in an archive no SHA-256 is known: the archive's was compared when it was
    downloaded.

    Parameters
    ----------
    name, root
        As in `load`.

    Returns
    -------
    list of FileCheck
        One for each file, of the first location that has all of them or else any.

    Raises
    ------
    DataNotFoundError
        If no location has any file of the set.

    Examples
    --------
    >>> [check.ok for check in verify("digits")]
    [True, True, True, True]
    """
    source = source_named(name)
    location = find(source, root) or next((p for p in search(source, root) if p.files), None)
    if location is None:
        raise not_found(source, root)
    form = location.form
    return [
        *_check(source, location, form.train, "train", source.train),
        *_check(source, location, form.test, "test", source.test),
    ]


def _check(
    source: DataSource, location: Location, names: tuple[str, ...], split: str, count: int
) -> list[FileCheck]:
    """Check the files of one part."""
    folder, found = location.folder, location.files
    reasons = dict.fromkeys(names, "")
    for name in names:
        if name not in found:
            reasons[name] = f"there is no '{name}' in '{folder}'."
        elif published := location.form.single(name):
            reasons[name] = mismatch(found[name], published, source, location.form)
    if all(name in found for name in names):
        try:
            n = len(read_part(source, location, split))
            wrong = "" if n == count else f"there are {n:,} images where {count:,} should be."
        except FileFormatError as error:
            wrong = str(error)
        if wrong:  # which files are at fault is known best from their SHA-256
            suspects = [name for name in names if reasons[name]] or names
            named = [name for name in suspects if f"{found[name].name}'" in wrong]
            reasons |= dict.fromkeys(named or suspects, wrong)
    return [
        FileCheck(found.get(name, folder / name), not why, why) for name, why in reasons.items()
    ]
