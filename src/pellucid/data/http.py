"""Receive files over HTTP from the first mirror that has them, within a size limit.

`download` decides whether what came is right.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import FileFormatError, PellucidError
from ..letters import is_terminal
from .data_source import DataSource

__all__ = ["Get", "Report", "ask_mirrors", "progress", "receive"]

Report = Callable[[str, int], None]
"""Called with a file's name and the number of bytes received since the last call."""

Get = Callable[[str, Report], None]
"""Receives one file, given its address and a `Report`."""

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


def ask_mirrors(source: DataSource, wanted: dict[str, Get], sizes: Mapping[str, int]) -> list[str]:
    """Request each ``wanted`` file from the mirrors in turn until one of them has it.

    Parameters
    ----------
    source : DataSource
        Whose mirrors to use.
    wanted : dict
        Each file's name at the mirrors, and the function that receives it. Files that arrived are
        removed.
    sizes : mapping
        The size of each file in bytes, for the progress bars.

    Returns
    -------
    list of str
        A line for each mirror that failed: the address, and why.
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
    """Write the file at ``address`` to ``part``, and return the SHA-256 of its bytes.

    Raises
    ------
    FileFormatError
        If the server sends more than ``limit`` bytes.
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
    """A file that refuses more than ``limit`` bytes, whatever a server sends."""

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
def progress(title: str, sizes: Mapping[str, int]) -> Iterator[Report]:
    """Yield a `Report` that draws a progress bar per file, if standard error is a terminal."""
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

    columns = (
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(name: str, received: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(f"{title} {name}", total=sizes.get(name))
            bars.update(tasks[name], advance=received)

        yield report


def _reason(error: Exception) -> str:
    """Summarise an error of the HTTP library in a few words."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}".rstrip()
    return _REASONS.get(type(error).__name__, str(error))
