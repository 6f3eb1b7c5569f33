"""Fetching a data set into the cache: whole and verified files, or none."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError
from .idx import checksum, read_idx
from .places import not_found, spellings
from .sources import FILE_NAMES, Source
from .transfer import Get, Report, ask_mirrors, make_cache_folder, receive

__all__ = ["download", "mismatch"]


def download(source: Source) -> Path:
    """Fetch what is missing or damaged of ``source`` into the cache, and return that folder.

    Each mirror is tried once; what one could not give is asked of the next. A file takes its place
    only after the SHA-256 of its uncompressed bytes has matched.

    Raises
    ------
    DataNotFoundError
        If no mirror has a file, or the cache cannot be written; says why, and what to do instead.
    """
    folder = make_cache_folder(source)
    wanted: dict[str, Get] = {
        f"{name}.gz": partial(_fetch, name, folder, source)
        for name in FILE_NAMES
        if not _is_cached(folder, name, source)
    }
    failures = ask_mirrors(source, wanted)
    if wanted:
        raise not_found(source, tried=failures)
    return folder


def mismatch(path: Path, name: str, source: Source) -> str:
    """Return why the file at ``path`` is not the ``name`` of ``source``; empty if it is.

    Compared are the uncompressed bytes with the SHA-256 in the table.
    """
    try:
        found = checksum(read_idx(path, max_bytes=_largest(source)))
    except (FileFormatError, DataNotFoundError) as error:
        return str(error)
    known = source.sha256[name]
    if found == known:
        return ""
    return (
        f"'{path}' is a whole IDX file, but with other contents: the SHA-256 of its uncompressed "
        f"bytes is {found[:16]}..., that of {source.title} is {known[:16]}...."
    )


def _fetch(name: str, folder: Path, source: Source, address: str, report: Report) -> None:
    from ..formats.files import atomic_write

    target = folder / f"{name}.gz"
    with atomic_write(target) as part:
        receive(address, part, _largest(source), name, report)
        if reason := mismatch(part, name, source):
            raise FileFormatError(reason.replace(f"'{part}'", "what came"))
    for other in spellings(folder, name):
        if other != target:  # it would be read first, and was not good enough
            other.unlink(missing_ok=True)


def _is_cached(folder: Path, name: str, source: Source) -> bool:
    path = next(filter(Path.is_file, spellings(folder, name)), None)
    return path is not None and not mismatch(path, name, source)


def _largest(source: Source) -> int:
    """Bytes of the largest file of ``source``, uncompressed, with room for headers."""
    return max(source.train, source.test) * math.prod(source.image_shape) + 4096
