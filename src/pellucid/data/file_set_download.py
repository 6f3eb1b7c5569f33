"""Fetching CIFAR-10, CIFAR-100, STL-10 and SVHN into the cache: verified files, or none."""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError
from .file_set_reader import FilePlace, file_set_not_found
from .file_sets import FileSet, Form, Remote
from .places import VARIABLE
from .transfer import Get, Report, ask_mirrors, cache_problem, make_cache_folder, progress, receive
from .unpack import unpack

__all__ = ["download_file_set"]


def download_file_set(source: FileSet, *, again: bool = False) -> FilePlace:
    """Fetch what is missing of ``source`` into the cache, and return that place.

    Each mirror is tried once. A file takes its place only after its SHA-256 has matched; an archive
    gives up the files that are needed, and is removed. If that is interrupted the verified archive
    stays, so that it need not come a second time; one that was put there by hand serves as well.

    Parameters
    ----------
    source : FileSet
    again : bool
        Do not trust files that came out of an archive, although they are as large as they should
        be: somebody could not read them.

    Raises
    ------
    DataNotFoundError
        If no mirror has a file, there is not enough room, or the cache cannot be written; says
        why, and what to do instead.
    """
    form = next(form for form in source.forms if form.remotes)
    folder = make_cache_folder(source)
    place = FilePlace(folder, form, ours=True)
    if form.sizes and not again and not place.lack:
        return place
    missing = [remote for remote in form.remotes if not _is_there(folder, remote)]
    _require_room(source, folder, sum(r.size for r in missing) + sum(form.sizes))
    wanted: dict[str, Get] = {r.name: partial(_fetch, folder, r) for r in missing}
    failures = ask_mirrors(source, wanted, {r.name: r.size for r in missing})
    if wanted:
        raise file_set_not_found(source, tried=failures)
    if form.sizes:
        _unpack(source, folder, form)
    return place


def _fetch(folder: Path, remote: Remote, address: str, report: Report) -> None:
    from ..formats.files import atomic_write

    with atomic_write(folder / remote.name) as part:
        found = receive(address, part, remote.size, remote.name, report)
        if (size := part.stat().st_size) != remote.size:
            raise FileFormatError(
                f"what came is not the file: it has {size:,} bytes, not {remote.size:,}"
            )
        if found != remote.sha256:
            raise FileFormatError(
                f"what came has other contents: its SHA-256 is {found[:16]}..., not "
                f"{remote.sha256[:16]}..."
            )


def _unpack(source: FileSet, folder: Path, form: Form) -> None:
    archive = folder / form.remotes[0].name
    try:
        with progress(source.title, {"unpacking": form.remotes[0].size}) as report:
            unpack(archive, form.members, folder, report)
    except FileFormatError:
        archive.unlink()  # it would fail the next time as well
        raise
    except OSError as error:
        raise cache_problem(source, "write to", error) from error
    archive.unlink()


def _is_there(folder: Path, remote: Remote) -> bool:
    path = folder / remote.name
    if not path.is_file() or path.stat().st_size != remote.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == remote.sha256


def _require_room(source: FileSet, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataNotFoundError(
            f"needs {needed / 1e6:,.0f} MB in '{folder}', where {free / 1e6:,.0f} MB are free. "
            "Make room, or put the files on another disk, and name their folder as root=... or in "
            f"{VARIABLE}.",
            where=source.title,
        )
