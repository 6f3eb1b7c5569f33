"""Write files atomically: a reader finds the old file or the new one, never a part of either."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ArgumentError
from ..typing import PathLike

__all__ = ["atomic_write", "remove_parts"]

PART = ".part-"  # what the names of temporary files begin with
LEFT = rf"{re.escape(PART)}[0-9a-f]{{12}}(\..*)?|\.tmp[A-Za-z0-9]{{6}}"  # the latter: safetensors'

# Errors of writing to an open file, which do not name the file. Windows lacks EDQUOT.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """Yield a temporary file next to ``path``, and rename it to ``path`` at the end of the block.

    The bytes are on the disk before the name is (fsync, rename, fsync of the folder), so that a
    power cut leaves a complete file too: the old or the new one, where a file system cannot flush
    folders. After any exception, Ctrl-C included, the temporary file is deleted and ``path`` is as
    before. The permissions are those of the replaced file, or of any new file (the umask); a
    symbolic link is followed, not replaced.

    Parameters
    ----------
    path : str or path
        The file to write. Its folder must exist.

    Yields
    ------
    Path
        An empty file in the same folder, with the same suffix. Open it by this name.

    Raises
    ------
    ArgumentError
        If ``path`` is a folder or a device, or its folder does not exist.
    OSError
        If it cannot be written, with ``path`` as its file name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "note.txt")
    ...     with atomic_write(path) as part:
    ...         _ = part.write_text("whole")
    ...     path.read_text(), len(os.listdir(folder))
    ('whole', 1)
    """
    target = Path(os.path.realpath(path))
    _require_writable_place(path, target)
    part = target.with_name(f"{PART}{secrets.token_hex(6)}{target.suffix}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        if target.exists() and part.stat().st_mode != target.stat().st_mode:
            part.chmod(target.stat().st_mode & 0o7777)  # only if needed: some file systems cannot
        yield part
        _flush_to_disk(part)
        part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        unnamed = isinstance(error, OSError) and error.filename is None and error.errno in _FULL
        if isinstance(error, OSError) and (unnamed or error.filename in (part, str(part))):
            # Name the caller's file: the user does not know the temporary one.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    with suppress(OSError):  # the file is complete; network drives cannot flush folders
        _flush_to_disk(target.parent)


def remove_parts(folder: PathLike) -> None:
    """Delete the temporary files that killed processes have left in a folder.

    The caller must know that no process is writing into it.
    """
    for path in Path(folder).iterdir():
        if re.fullmatch(LEFT, path.name):
            path.unlink(missing_ok=True)


def _require_writable_place(path: PathLike, target: Path) -> None:
    if target.is_dir():
        raise ArgumentError(
            f"must be a file, received the folder '{path}'. Add a file name to it.", where="path"
        )
    if target.exists() and not target.is_file():  # the rename would replace /dev/null by a file
        raise ArgumentError(
            f"must be a file, received '{path}', a device or a pipe. Give another name.",
            where="path",
        )
    if not target.parent.is_dir():
        raise ArgumentError(
            f"cannot write '{path}': the folder '{target.parent}' does not exist. Create it first, "
            "or correct the path.",
            where="path",
        )


def _flush_to_disk(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and writes names through
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
