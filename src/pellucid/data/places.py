"""Where the four files of a data set may lie on this machine, and what to say if they do not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError
from ..typing import PathLike
from .file_sets import FileSet
from .idx import checksum, read_idx
from .sources import FILE_NAMES, FILES, SOURCES, Source
from .user_folders import cache_for_checked, expanded

__all__ = [
    "VARIABLE",
    "Place",
    "cache_folder",
    "cached",
    "find",
    "look",
    "not_found",
    "spellings",
]

VARIABLE = "PELLUCID_DATA"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that was looked in.

    Attributes
    ----------
    folder : Path
        Where.
    files : dict
        The files that are there, by their usual names.
    ours : bool
        Whether Pellucid put the files there itself, so that their contents must match the table.
        Somebody else's may be a subset, or their own data.
    lack : str
        Why the set cannot be read from here; empty if it can.
    """

    folder: Path
    files: dict[str, Path]
    ours: bool
    lack: str


def find(source: Source, root: PathLike | None = None) -> Place | None:
    """Return the first place that has all four files, or None."""
    return next((place for place in look(source, root) if not place.lack), None)


def look(source: Source, root: PathLike | None = None) -> Iterator[Place]:
    """Yield every place where ``source`` is looked for, in order.

    With ``root``, only there. Otherwise what comes with Pellucid, the folder that the environment
    variable ``PELLUCID_DATA`` names, the operating system's, our own cache.
    """
    if root is not None:
        # The folder that was named comes before any folder inside it.
        inside = sorted(source.subfolders, key=lambda sub: sub != ".")
        yield from (_look_in(expanded(root) / sub, source) for sub in inside)
        return
    if source.bundled:
        yield _look_in(_bundled_folder(source), source, ours=True)
        return
    if folder := os.environ.get(VARIABLE):
        yield from (_look_in(expanded(folder) / sub, source) for sub in source.subfolders)
    yield from (_look_in(Path(system), source) for system in source.system_folders)
    yield cached(source)


def cache_folder(source: Source | FileSet) -> Path:
    """Return the folder that downloads of ``source`` go to; it need not exist."""
    return cache_for_checked() / "datasets" / source.name


def cached(source: Source) -> Place:
    """Return what `cache_folder` holds."""
    return _look_in(cache_folder(source), source, ours=True)


def spellings(folder: Path, name: str) -> list[Path]:
    """Return the paths that the file called ``name`` may have, the fastest to read first."""
    dotted = name.replace("-idx", ".idx")
    return [folder / f"{stem}{end}" for end in ("", ".gz") for stem in (name, dotted)]


def not_found(
    source: Source, root: PathLike | None = None, tried: Sequence[str] = ()
) -> DataNotFoundError:
    """Return an error that says where was looked, what was tried, and what to put where.

    Parameters
    ----------
    source, root
        As given to `look`.
    tried : sequence of str
        A line for each mirror that failed.
    """
    lines = ["the data set is not there. Looked in"]
    lines += [f"  {place.folder}: {place.lack or 'damaged'}" for place in look(source, root)]
    if tried:
        lines += ["Tried to download it from", *(f"  {line}" for line in tried)]
    elif root is None:
        lines.append("No download was tried.")
    lines.append(
        f"Put these four files, each plain or as .gz, into one folder: {', '.join(FILE_NAMES)}."
    )
    lines.append(
        f"Then pass that folder as root=..., or name it in the environment variable {VARIABLE}."
        if root is None
        else "A folder that is named as root=... is the only place that is looked in."
    )
    return DataNotFoundError("\n".join(lines), where=source.title)


def _bundled_folder(source: Source) -> Path:
    return Path(str(resources.files("pellucid") / "assets" / source.name))


def _look_in(folder: Path, source: Source, *, ours: bool = False) -> Place:
    files = {
        name: path
        for name in FILE_NAMES
        if (path := next(filter(Path.is_file, spellings(folder, name)), None))
    }
    missing = [name for name in FILE_NAMES if name not in files]
    if not folder.is_dir():
        lack = "not a folder" if folder.exists() else "no such folder"
    elif missing:
        lack = f"no {', no '.join(missing)}" if files else "none of the files"
    else:
        other = None if ours else _taken_for(source, files)
        lack = f"these are the files of {other}" if other else ""
    return Place(folder, files, ours, lack)


def _taken_for(source: Source, files: dict[str, Path]) -> str | None:
    """Return the title of another set whose labels these are: all sets share their file names."""
    labels = FILES["train"][1]
    try:
        found = checksum(read_idx(files[labels], max_bytes=1 << 24))
    except FileFormatError:
        return None  # whoever reads the set will say what is wrong with the file
    others = (other for other in SOURCES.values() if other.name != source.name)
    return next((other.title for other in others if other.sha256[labels] == found), None)
