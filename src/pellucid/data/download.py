"""Download a data set into the cache: verified files, or none."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError
from .cache_space import ABANDONED
from .data_source import DataSource, Form, PublishedFile
from .http import Get, Report, ask_mirrors, progress, receive
from .locations import VARIABLE, Location, cache_folder, look_in, not_found, spelled
from .unpack import unpack

__all__ = ["download_source", "mismatch"]


def download_source(source: DataSource, *, again: bool = False) -> Location:
    """Download what is missing or damaged in the cache of ``source``, and return its location.

    Each mirror is tried once; the next is asked for what one could not give. A file takes its place
    only after its SHA-256 has matched. An archive is unpacked and removed; if that is interrupted
    the verified archive stays, so that it need not be downloaded a second time. One that was put
    there by hand serves as well.

    Parameters
    ----------
    source : DataSource
    again : bool
        Unpack an archive again although its files have the right size: they could not be read.

    Raises
    ------
    DataNotFoundError
        If no mirror has a file, the disk is too full, or the cache cannot be written; says why, and
        what to do instead.
    """
    form = source.downloaded
    folder = _make_cache_folder(source)
    location = look_in(folder, source, form, ours=True)
    if form.archive and not again and not location.lack:
        return location
    names = [form.archive.name] if form.archive else form.files
    missing = {
        name: file
        for name, file in zip(names, form.published, strict=True)
        if not _is_cached(source, form, name, file)
    }
    sizes = {file.name: file.size for file in missing.values()}
    _require_space(source, folder, sum(sizes.values()) + sum(form.sizes))
    wanted: dict[str, Get] = {
        file.name: partial(_receive, source, form, name, file) for name, file in missing.items()
    }
    failures = ask_mirrors(source, wanted, sizes)
    if wanted:
        raise not_found(source, tried=failures)
    if form.archive:
        _unpack(source, form, folder / form.archive.name)
    return look_in(folder, source, form, ours=True)


def mismatch(
    path: Path, file: PublishedFile, source: DataSource, form: Form, sha256: str | None = None
) -> str:
    """Return why the file at ``path`` is not ``file`` of ``source``; empty if it is.

    ``sha256`` is that of its bytes, if it is known already.
    """
    what = "its uncompressed bytes"
    try:
        if form.reader.sha256 is not None:
            found = form.reader.sha256(path, source.max_bytes)
        else:
            what = "its bytes"
            if (size := path.stat().st_size) != file.size:
                return f"'{path}' has {size:,} bytes, not {file.size:,}."
            found = sha256 or _sha256(path)
    except (FileFormatError, DataNotFoundError) as error:
        return str(error)
    if found == file.sha256:
        return ""
    return (
        f"'{path}' has other contents: the SHA-256 of {what} is {found[:16]}..., that of "
        f"{source.title} is {file.sha256[:16]}...."
    )


def _receive(
    source: DataSource, form: Form, name: str, file: PublishedFile, address: str, report: Report
) -> None:
    from ..formats.files import atomic_write

    # A mirror may have compressed the file again, to another size.
    limit = file.size if form.reader.sha256 is None else source.max_bytes
    folder = cache_folder(source)
    with atomic_write(folder / file.name) as part:
        found = receive(address, part, limit, file.name, report)
        if reason := mismatch(part, file, source, form, found):
            raise FileFormatError(reason.replace(f"'{part}'", "what came"))
    for other in spelled(folder, form, name):
        if other.name != file.name:  # it would be read first, and was damaged
            other.unlink(missing_ok=True)


def _is_cached(source: DataSource, form: Form, name: str, file: PublishedFile) -> bool:
    path = next(filter(Path.is_file, spelled(cache_folder(source), form, name)), None)
    return path is not None and not mismatch(path, file, source, form)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make_cache_folder(source: DataSource) -> Path:
    """Return the folder for downloads of ``source``, without the remains of a killed download."""
    folder = cache_folder(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cache_problem(source, "create", error) from error
    for part in folder.glob(".part-*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
    return folder


def _require_space(source: DataSource, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataNotFoundError(
            f"needs {needed / 1e6:,.0f} MB in '{folder}', where {free / 1e6:,.0f} MB are free. "
            "Free some space, or put the files on another disk and pass their folder as {root} "
            f"or in {VARIABLE}.",
            where=source.title,
            arguments={"root": ...},
        )


def _unpack(source: DataSource, form: Form, archive: Path) -> None:
    try:
        with progress(source.title, {"unpacking": archive.stat().st_size}) as report:
            unpack(archive, form.members, archive.parent, report)
    except FileFormatError:
        archive.unlink()  # it would fail the next time as well
        raise
    except OSError as error:
        raise _cache_problem(source, "write to", error) from error
    archive.unlink()


def _cache_problem(source: DataSource, what: str, error: OSError) -> DataNotFoundError:
    """Return the error for a cache folder that failed to ``what``: "create" or "write to"."""
    return DataNotFoundError(
        f"cannot {what} the cache folder '{cache_folder(source)}': {error.strerror or error}. "
        f"Fetch the files elsewhere, and pass their folder as {{root}} or in {VARIABLE}.",
        where=source.title,
        arguments={"root": ...},
    )
