"""Fetching a data set into the cache: whole and verified files, or none."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import DataNotFoundError, FileFormatError, PellucidError
from .idx import checksum, read_idx
from .places import VARIABLE, cache_folder, not_found, spellings
from .sources import FILE_NAMES, Source

__all__ = ["download", "mismatch"]

_TIMEOUT = (5, 15)  # seconds to connect; seconds without a byte
_CHUNK = 1 << 16

_REASONS = {
    "ChunkedEncodingError": "the connection broke off",
    "ConnectTimeout": f"no answer within {_TIMEOUT[0]} seconds",
    "ConnectionError": "no connection",
    "ProxyError": "the proxy refuses",
    "ReadTimeout": f"nothing came for {_TIMEOUT[1]} seconds",
    "SSLError": "its certificate does not check",
}


def download(source: Source) -> Path:
    """Fetch what is missing or damaged of ``source`` into the cache, and return that folder.

    Each mirror is tried once; what one could not give is asked of the next. A file takes its place
    only after the SHA-256 of its uncompressed bytes has matched.

    Raises
    ------
    DataNotFoundError
        If no mirror has a file, or the cache cannot be written; says why, and what to do instead.
    """
    folder = cache_folder(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataNotFoundError(
            f"cannot create the cache folder '{folder}': {error.strerror}. Fetch the files "
            f"elsewhere, and name their folder as root=... or in {VARIABLE}.",
            where=source.title,
        ) from error
    wanted = [name for name in FILE_NAMES if not _is_cached(folder, name, source)]
    failures: list[str] = []
    for mirror in source.mirrors:
        try:
            with _progress(source) as report:
                while wanted:
                    _fetch(mirror, wanted[0], folder, source, report)
                    del wanted[0]
        except (OSError, PellucidError) as error:
            failures.append(f"{mirror}{wanted[0]}.gz: {_reason(error)}")
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


def _fetch(
    mirror: str, name: str, folder: Path, source: Source, report: Callable[[str, int], None]
) -> None:
    import pooch  # type: ignore[import-untyped]

    from ..formats.files import atomic_write

    target = folder / f"{name}.gz"
    with atomic_write(target) as part:
        get = pooch.HTTPDownloader(timeout=_TIMEOUT, chunk_size=_CHUNK)
        with part.open("wb") as file:
            get(f"{mirror}{name}.gz", _Limited(file, _largest(source), name, report), None)
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


class _Limited:
    """A file that takes no more bytes than it should, whatever a server sends."""

    def __init__(
        self, file: BinaryIO, limit: int, name: str, report: Callable[[str, int], None]
    ) -> None:
        self.file, self.left, self.name, self.report = file, limit, name, report

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise FileFormatError("what came is larger than the file should be")
        self.report(self.name, len(data))
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[str, int], None]]:
    """Yield a function that is told (file name, bytes received); draws only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda name, received: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {
            name: progress.add_task(f"{source.title} {name}", total=None, visible=False)
            for name in FILE_NAMES
        }
        yield lambda name, received: progress.update(tasks[name], advance=received, visible=True)


def _reason(error: Exception) -> str:
    """Say in a few words what the HTTP library says in several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}".rstrip()
    return _REASONS.get(type(error).__name__, str(error))
