"""Read images one at a time from an open cache file."""

from __future__ import annotations

import os
import threading
import weakref
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from ..typing import Array
from .cache_space import hold

__all__ = ["CacheFile"]


class CacheFile:
    """Images of one shape, one after the other in a file: an `ImageStore`.

    The file is read, not mapped: the pages of a map would count as this process's memory, and a
    file that is cut short would end the process by a signal.

    Parameters
    ----------
    file : open file
        Kept open as long as this object lives, whether the caller closes it or not. If it is
        replaced or removed meanwhile, it stays as it was for those that have it open.
    path : Path
        Its name in messages.
    start : int
        Where the first image begins.
    shape : (C, H, W)
    checks : uint32 array (N,)
        The CRC-32 of each image.
    workers : int
        Threads that read.
    checked : bool
        Whether this process has just written the images, and need not compare the checks.
    """

    def __init__(
        self,
        file: BinaryIO | FileIO,
        path: Path,
        start: int,
        shape: tuple[int, int, int],
        checks: Array,
        workers: int,
        *,
        checked: bool = False,
    ) -> None:
        self.path, self.shape, self.workers = path, shape, workers
        self._handle = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._handle)
        self._start, self.checks = start, checks
        self._checked = np.full(len(checks), checked)
        self._lock = threading.Lock()
        hold(self._handle)

    def load(self, row: int, out: Array) -> None:
        """Read image ``row`` into ``out``, uint8 (C, H, W) in C order.

        Raises
        ------
        DataError
            If the file was damaged or cut short; it is then removed, so that the folder is decoded
            again at the next start.
        """
        try:
            whole = self._read(out, self._start + row * out.nbytes) == out.nbytes
            if whole and not self._checked[row]:
                whole = self._checked[row] = zlib.crc32(out.data) == self.checks[row]
            reason = "are damaged"
        except OSError as error:
            whole, reason = False, f"cannot be read ({error.strerror})"
        if not whole:
            self._remove()
            raise DataError(
                f"the decoded images in the cache '{self.path}' {reason} (image {row}). The file "
                "was removed: start again, and the folder is decoded anew."
            )

    def _read(self, out: Array, place: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._handle, [out.data], place)
        with self._lock:
            os.lseek(self._handle, place, os.SEEK_SET)
            content = os.read(self._handle, out.nbytes)
        out.reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
        return len(content)

    def _remove(self) -> None:
        """Remove the file, unless another one has its name by now."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._handle), self.path.stat()):
                self.path.unlink()
