"""Extract the needed files of a tar archive, and nothing else.

The archive's SHA-256 has matched before it is opened. Even so nothing in it decides
where a file goes or how large it may be: names and sizes come from the catalogue.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import FileFormatError
from .http import Report

__all__ = ["unpack"]

_CHUNK = 1 << 20


def unpack(
    archive: Path, members: Mapping[str, int], folder: Path, report: Report | None = None
) -> None:
    """Write the ``members`` of a .tar.gz into ``folder``, under the last part of their names.

    They are renamed into place once all are complete; after an error or Ctrl-C the folder is as
    before. The archive is read once, from the beginning, as far as needed.

    Parameters
    ----------
    archive : Path
    members : mapping
        The exact name and size of each member.
    folder : Path
        Must exist.
    report : callable, optional
        Called with ("unpacking", bytes of the archive read since the last call).

    Raises
    ------
    FileFormatError
        If the archive is damaged, or a member is missing or not a regular file of that size.
    OSError
        If the disk is full.

    Examples
    --------
    >>> import io, tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
    ...         for member in ("set/images.bin", "../outside"):
    ...             info = tarfile.TarInfo(member)
    ...             info.size = 5
    ...             tar.addfile(info, io.BytesIO(b"bytes"))
    ...     unpack(folder / "a.tar.gz", {"set/images.bin": 5}, folder)
    ...     sorted(path.name for path in folder.iterdir())
    ['a.tar.gz', 'images.bin']
    """
    with ExitStack() as opened:
        file = opened.enter_context(archive.open("rb"))
        plain = gzip.GzipFile(fileobj=cast(BinaryIO, _Watched(file, report)), mode="rb")
        # The parts are renamed when this block succeeds, and removed otherwise.
        parts = opened.enter_context(ExitStack())
        try:
            _take(plain, members, folder, parts)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileFormatError(f"'{archive}' is damaged: {error}.") from error
        except FileFormatError as error:
            raise FileFormatError(f"'{archive}' {error.message}") from error


def _take(plain: gzip.GzipFile, members: Mapping[str, int], folder: Path, parts: ExitStack) -> None:
    from ..formats.files import atomic_write

    wanted = dict(members)
    with tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            if member.name not in wanted:
                continue
            size = wanted.pop(member.name)
            if not member.isreg() or member.issparse():
                raise FileFormatError(f"has a '{member.name}' that is not a regular file.")
            if member.size != size:
                raise FileFormatError(
                    f"has '{member.name}' with {member.size:,} bytes; expected are {size:,}."
                )
            content = tar.extractfile(member)
            assert content is not None  # it is a regular file
            part = parts.enter_context(atomic_write(folder / member.name.rpartition("/")[2]))
            with content, part.open("wb") as target:
                shutil.copyfileobj(content, target, _CHUNK)
            if not wanted:
                return
    raise FileFormatError(f"has no '{next(iter(wanted))}'.")


class _Watched:
    """A file that reports how much of it was read."""

    def __init__(self, file: BinaryIO, report: Report | None) -> None:
        self.file, self.report = file, report

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        if self.report:
            self.report("unpacking", len(data))
        return data
