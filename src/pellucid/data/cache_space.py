"""Keep the cache of decoded image folders within its limits: the least recently used goes first.

All folders together may take `MAX_CACHE` bytes, or as many gigabytes as the environment variable
``PELLUCID_CACHE_GB`` says. A single larger folder is kept all the same, if the disk has room for it
and no limit was set: it would have to be decoded in every epoch otherwise. A file that a running
program reads is not removed.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArgumentError
from .user_folders import user_cache

__all__ = ["KeptFile", "clear", "hold", "kept_files", "make_room"]

MAX_CACHE = 2**35  # bytes that all decoded folders together may take
FREE = 2**28  # bytes that stay free on the disk
LIMIT = "PELLUCID_CACHE_GB"
ABANDONED = 3600  # seconds after which the temporary file of a killed write is removed


@dataclass(frozen=True)
class KeptFile:
    """A file of the cache.

    Attributes
    ----------
    path : Path
    size : int
        In bytes.
    used : float
        When it was last used, in seconds since 1970.
    """

    path: Path
    size: int
    used: float

    @property
    def folder(self) -> str:
        """The name of the folder of images."""
        return self.path.stem.rpartition("-")[0] or self.path.name

    def in_use(self) -> bool:
        """Return whether a running program reads it; False where the system cannot tell."""
        try:
            import fcntl

            with self.path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (ImportError, OSError):  # Windows refuses to remove an open file by itself
            pass
        return False

    def remove(self) -> bool:
        """Remove it, unless it is in use; return whether it is gone."""
        if self.in_use():
            return False
        with suppress(OSError):  # another program may be doing the same
            self.path.unlink()
        return not self.path.exists()


def hold(handle: int) -> None:
    """Mark an open file as in use until it is closed."""
    with suppress(ImportError, OSError):  # a network drive may have no locks
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


def kept_files(folder: Path | None = None) -> list[KeptFile]:
    """Return the files of the cache, the least recently used first.

    Parameters
    ----------
    folder : Path, optional
        Where they are; by default in the user's cache.
    """
    if folder is None:
        caches = user_cache()
        if caches is None:
            return []
        folder = caches / "images"
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                found.append(KeptFile(path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda file: file.used)


def clear() -> tuple[int, int]:
    """Remove all files that are not in use; return how many bytes that freed, and how many stay."""
    freed = left = 0
    for file in kept_files():
        if file.remove():
            freed += file.size
        else:
            left += file.size
    return freed, left


def make_room(path: Path, needed: int, *, alone: bool = False) -> bool:
    """Remove the least recently used files until ``needed`` bytes fit; return whether they do.

    Parameters
    ----------
    path : Path
        The file that is to be written, or written again, in the folder of the cache.
    needed : int
    alone : bool
        Whether the file may take more than all files together, unless a limit was set.

    Raises
    ------
    ArgumentError
        If the limit in the environment is not a number.
    """
    given = _given_limit()
    limit, soft = (MAX_CACHE, alone) if given is None else (given, False)
    if needed > limit and not soft:
        return False
    others, now = [], time.time()
    for file in kept_files(path.parent):
        if file.path.name.startswith(".part-"):
            if now - file.used > ABANDONED:
                file.remove()
        elif file.path != path:
            others.append(file)
    too_many = sum(file.size for file in others) + needed - limit
    too_full = needed + max(FREE, needed // 10) - shutil.disk_usage(path.parent).free
    removable = []
    for file in others:
        if max(too_many, too_full) <= 0:
            break
        if not file.in_use():
            removable.append(file)
            too_many -= file.size
            too_full -= file.size
    if too_full > 0 or (too_many > 0 and not soft):
        return False
    for file in removable:
        file.remove()
    return True


def _given_limit() -> int | None:
    text = os.environ.get(LIMIT, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 2**33:
        raise ArgumentError(
            f"must be a number of gigabytes, 0 or more; it is {text!r}.", where=LIMIT
        )
    return int(number * 1e9)
