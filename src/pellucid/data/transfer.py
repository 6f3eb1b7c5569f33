"""Receiving files over HTTP: from the first mirror that has them, never more than they should be.

What every download has in common; `download` and `file_set_download` say what is right.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import DataNotFoundError, FileFormatError, PellucidError
from ..letters import is_terminal
from .file_sets import FileSet
from .folder_cache import ABANDONED
from .places import VARIABLE, cache_folder
from .sources import Source

__all__ = [
    "Get",
    "Report",
    "ask_mirrors",
    "cache_problem",
    "make_cache_folder",
    "progress",
    "receive",
]

Report = Callable[[str, int], None]
"""Is told (file name, bytes that came since the last time)."""

Get = Callable[[str, Report], None]
"""Gets one file, given its address and a `Report`."""

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


def make_cache_folder(source: Source | FileSet) -> Path:
    """Return the folder for downloads of ``source``, without what a killed download left there.

    Raises
    ------
    DataNotFoundError
        If it cannot be made; says what to do instead.
    """
    folder = cache_folder(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cache_problem(source, "create", error) from error
    for part in folder.glob(".part-*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
    return folder


def cache_problem(source: Source | FileSet, what: str, error: OSError) -> DataNotFoundError:
    """Return the error for a cache folder that one cannot ``what``: create, or write to."""
    return DataNotFoundError(
        f"cannot {what} the cache folder '{cache_folder(source)}': {error.strerror or error}. "
        f"Fetch the files elsewhere, and name their folder as root=... or in {VARIABLE}.",
        where=source.title,
    )


def ask_mirrors(
    source: Source | FileSet,
    wanted: dict[str, Get],
    sizes: Mapping[str, int] | None = None,
) -> list[str]:
    """Ask each mirror once for what is still ``wanted``.

    Parameters
    ----------
    source
        Whose mirrors to ask.
    wanted : dict
        The name of each file at the mirrors, and what gets it. Those that came are taken out.
    sizes : mapping, optional
        The bytes of the files, where they are known.

    Returns
    -------
    list of str
        A line for each mirror that failed: what it did not give, and why.
    """
    failures = []
    for mirror in source.mirrors:
        if not wanted:
            break
        try:
            with progress(source.title, sizes) as report:
                while wanted:
                    name = next(iter(wanted))
                    wanted[name](f"{mirror}{name}", report)
                    del wanted[name]
        except (OSError, PellucidError) as error:
            failures.append(f"{mirror}{next(iter(wanted))}: {_reason(error)}")
    return failures


def receive(address: str, part: Path, limit: int, name: str, report: Report) -> str:
    """Write what lies at ``address`` to ``part``, and return its SHA-256.

    Raises
    ------
    FileFormatError
        If more than ``limit`` bytes come.
    OSError
        If the connection fails, or the disk is full.
    """
    import pooch  # type: ignore[import-untyped]

    get = pooch.HTTPDownloader(timeout=_TIMEOUT, chunk_size=_CHUNK)
    with part.open("wb") as file:
        limited = _Limited(file, limit, name, report)
        get(address, limited, None)
    return limited.sha256.hexdigest()


class _Limited:
    """A file that takes no more bytes than it should, whatever a server sends."""

    def __init__(self, file: BinaryIO, limit: int, name: str, report: Report) -> None:
        self.file, self.left, self.name, self.report = file, limit, name, report
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise FileFormatError("what came is larger than the file should be")
        self.sha256.update(data)
        self.report(self.name, len(data))
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@contextmanager
def progress(title: str, sizes: Mapping[str, int] | None = None) -> Iterator[Report]:
    """Yield a `Report` that draws how far each file is, if standard error is a terminal."""
    if not is_terminal(sys.stderr):
        yield lambda name, received: None
        return
    from rich.console import Console
    from rich.progress import (
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = [TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn()]
    if sizes:
        columns.append(TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, received: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(f"{title} {name}", total=(sizes or {}).get(name))
            bars.update(tasks[name], advance=received)

        yield report


def _reason(error: Exception) -> str:
    """Say in a few words what the HTTP library says in several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}".rstrip()
    return _REASONS.get(type(error).__name__, str(error))
