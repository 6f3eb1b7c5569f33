"""Find the files of a data set on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError
from ..typing import PathLike
from .catalogue import CATALOGUE
from .data_source import DataSource, Form
from .user_folders import cache_for_checked, expanded

__all__ = [
    "VARIABLE",
    "Location",
    "cache_folder",
    "find",
    "look_in",
    "not_found",
    "search",
    "spelled",
]

VARIABLE = "PELLUCID_DATA"


@dataclass(frozen=True, slots=True)
class Location:
    """A folder that was searched for one form of a data set.

    Attributes
    ----------
    folder : Path
    form : Form
    files : dict
        The files that are there, by their names in the catalogue.
    ours : bool
        Whether Pellucid put the files there itself, so that their sizes and contents must match
        the catalogue. Other folders may hold a subset, or the user's own data.
    lack : str
        Why the set cannot be read from here; empty if it can.
    """

    folder: Path
    form: Form
    files: dict[str, Path]
    ours: bool
    lack: str


def find(source: DataSource, root: PathLike | None = None) -> Location | None:
    """Return the first location that has all files, or None."""
    return next((place for place in search(source, root) if not place.lack), None)


def search(source: DataSource, root: PathLike | None = None) -> Iterator[Location]:
    """Yield every location that is searched for ``source``, in order.

    With ``root``, only that folder and folders inside it. Otherwise a bundled set's own folder, or
    else the folder that the environment variable ``PELLUCID_DATA`` names, the operating system's,
    and the cache.
    """
    cache = cache_folder(source)
    if root is None and source.bundled:
        folder = Path(str(resources.files("pellucid") / "assets" / source.name))
        yield look_in(folder, source, source.downloaded, ours=True)
        return
    for folder, form in _folders(source, root, cache.parent):
        ours = root is None and folder == cache and bool(form.published)
        yield look_in(folder, source, form, ours=ours)


def cache_folder(source: DataSource) -> Path:
    """Return the folder that ``source`` is downloaded to; it need not exist."""
    return cache_for_checked() / "datasets" / source.name


def look_in(folder: Path, source: DataSource, form: Form, *, ours: bool = False) -> Location:
    """Return what ``folder`` has of a form of ``source``."""
    files = {
        name: path
        for name in form.files
        if (path := next((p for p in spelled(folder, form, name) if p.is_file()), None))
    }
    missing = [name for name in form.files if name not in files]
    if not folder.is_dir():
        lack = "not a folder" if folder.exists() else "no such folder"
    elif missing:
        lack = f"no {', no '.join(missing)}" if files else "none of the files"
    elif ours:
        lack = _wrong_size(form, files)
    else:
        other = _other_set(source, form, files)
        lack = f"these are the files of {other}" if other else ""
    return Location(folder, form, files, ours, lack)


def spelled(folder: Path, form: Form, name: str) -> list[Path]:
    """Return the paths that the file called ``name`` may have, the fastest to read first."""
    return [folder / spelling for spelling in form.reader.spellings(name)]


def not_found(
    source: DataSource, root: PathLike | None = None, tried: Sequence[str] = ()
) -> DataNotFoundError:
    """Return an error that lists the places searched and the downloads tried, and what to do.

    Parameters
    ----------
    source, root
        As in `search`.
    tried : sequence of str
        A line for each mirror that failed.
    """
    lines = ["the data set is not there. Looked in"]
    # Two forms may be searched for in one folder, with the same result.
    lines += dict.fromkeys(
        f"  {place.folder}: {place.lack or 'damaged'}" for place in search(source, root)
    )
    if tried:
        lines += ["Tried to download it from", *(f"  {line}" for line in tried)]
    elif root is None:
        lines.append("No download was tried.")
    origin = f" from {source.home}" if source.home else ""
    lines.append(f"Get {' or '.join(map(_wanted, source.forms))}{origin}.")
    archived = any(form.archive for form in source.forms)
    where = "Unpack it" if archived else "Put the files into one folder"
    lines.append(
        f"{where}, and pass the folder as {{root}}, or name it in the environment variable "
        f"{VARIABLE}."
        if root is None
        else f"{where}; a folder given as {{root}} is the only place that is looked in."
    )
    return DataNotFoundError("\n".join(lines), where=source.title, arguments={"root": ...})


def _folders(source: DataSource, root: PathLike | None, cache: Path) -> Iterator[tuple[Path, Form]]:
    if root is not None:
        bases = [expanded(root)]
    else:
        named = os.environ.get(VARIABLE)
        bases = [expanded(named)] if named else []
    for base in bases:
        yield from _inside(base, source, itself_first=root is not None)
    if root is None:
        yield from ((Path(s), form) for s in source.system_folders for form in source.forms)
        yield from _inside(cache, source, itself_first=False)


def _inside(base: Path, source: DataSource, *, itself_first: bool) -> Iterator[tuple[Path, Form]]:
    """Yield the folders of each form in a folder of data sets."""
    for form in source.forms:
        for sub in sorted(form.subfolders, key=lambda sub: sub != "." or not itself_first):
            yield base / sub, form


def _wanted(form: Form) -> str:
    """Return the names of the files to get, for messages."""
    if form.archive:
        return form.archive.name
    names = f"{', '.join(form.files[:-1])} and {form.files[-1]}"
    packed = any(name.endswith(".gz") for name in form.reader.spellings(form.files[0]))
    return f"{names}, each plain or as .gz," if packed else names


def _wrong_size(form: Form, files: dict[str, Path]) -> str:
    for name, size in zip(form.files, form.sizes, strict=False):  # no sizes without an archive
        if (found := files[name].stat().st_size) != size:
            return f"{name} has {found:,} bytes, not {size:,}"
    return ""


def _other_set(source: DataSource, form: Form, files: dict[str, Path]) -> str | None:
    """Return the title of another set with files of the same names, if these are its labels."""
    labels = form.train[-1]
    known = {
        published.sha256: other.title
        for other in CATALOGUE.values()
        for twin in other.forms
        if other.name != source.name and twin.files == form.files
        if (published := twin.single(labels))
    }
    if not known or form.reader.sha256 is None:
        return None
    try:
        return known.get(form.reader.sha256(files[labels], 1 << 24))
    except FileFormatError:
        return None  # reading the set reports what is wrong with the file
