"""Find pictures: files, all those in folders, those that patterns match, and a list in a pipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import TypeAlias

from ..data.picture_kinds import ENDINGS
from ..errors import DataError, DataNotFoundError, FileFormatError

__all__ = ["Found", "names_from", "picture_files"]

Found: TypeAlias = tuple[Path, DataError | None]
PIPE = 2**16  # bytes: what a pipe holds


def picture_files(names: Iterable[str]) -> Iterator[Found]:
    """Yield the files that ``names`` stand for, in this order, each with None or why it is none.

    Parameters
    ----------
    names : iterable of str
        Of files, which are not looked into here; of folders, which stand for all pictures in them,
        at any depth, sorted; and patterns as ``pets/**/*.jpg``, where no file has that very name.
        In a folder the ending of a name says whether a file is a picture; hidden files, and folders
        that are links, are left out.
    """
    for name in names:
        path = Path(name)
        if "\0" not in name and os.path.isdir(path):  # noqa: PTH112 - never raises
            yield from _in_folder(path)
        elif has_magic(name) and not os.path.lexists(path):
            yield from _matching(name)
        else:
            yield path, None


def _matching(pattern: str) -> Iterator[Found]:
    matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - of a path as it is written
    if not matches:
        yield Path(pattern), DataNotFoundError(f"no file matches '{pattern}'.")
    known = set(matches)
    for match in map(Path, matches):
        if not match.is_dir():
            yield match, None
        elif not any(str(above) in known for above in match.parents):  # else it is read already
            yield from (found for found in _in_folder(match) if str(found[0]) not in known)


def _in_folder(folder: Path) -> Iterator[Found]:
    errors: list[OSError] = []
    any_found = False
    for place, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(ENDINGS):
                any_found = True
                yield Path(place, name), None
        yield from _unreadable(errors)
    yield from _unreadable(errors)
    if not any_found:
        yield folder, DataNotFoundError(f"the folder '{folder}' holds no picture.")


def _unreadable(errors: list[OSError]) -> Iterator[Found]:
    while errors:
        error = errors.pop()
        text = f"the folder '{error.filename}' cannot be read ({error.strerror})."
        yield Path(error.filename), FileFormatError(text)


def names_from(read: Callable[[int], bytes], *, null: bool = False) -> Iterator[str]:
    r"""Yield the names in a stream, one a line; with ``null``, each ends with a NUL.

    Parameters
    ----------
    read : callable
        Returns up to so many bytes, and none at the end of the stream.
    null : bool
        As ``find -print0`` and ``git ls-files -z`` write them: the names may have line breaks.

    Examples
    --------
    >>> import io
    >>> list(names_from(io.BytesIO(b"a.png\n\nb.png").read))
    ['a.png', 'b.png']
    >>> list(names_from(io.BytesIO(b"two\nlines.png\0").read, null=True))
    ['two\nlines.png']
    """
    rest, end = b"", b"\0" if null else b"\n"
    while piece := read(PIPE):
        *names, rest = (rest + piece).split(end)
        yield from _decoded(names, null)
    yield from _decoded([rest], null)


def _decoded(names: Iterable[bytes], null: bool) -> Iterator[str]:
    for name in names:
        text = os.fsdecode(name if null else name.removesuffix(b"\r"))
        if text:
            yield text
