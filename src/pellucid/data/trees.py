"""The files below a folder, or inside a zip archive: listed, and read one at a time.

Nothing is unpacked. A file is hostile until read: paths stay inside their archive, and what a
header declares is compared with the bytes that are there before memory is taken.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, DataNotFoundError, FileFormatError

__all__ = ["MAX_FILE", "Entry", "FolderTree", "Tree", "ZipTree", "tree"]

MAX_FILE = 2**26  # bytes: 64 MiB, more than a picture of MAX_PIXELS takes in any usual format
MAX_DIRECTORY = 2**29  # bytes of a zip archive's directory: that of some five million files
MAX_DEPTH = 16  # folders inside folders

_LOCAL = struct.Struct("<4s22xHH")  # a zip file's header before each member


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its path below the root with forward slashes, its bytes, and when it was changed."""

    path: str
    size: int
    stamp: int


class Tree:
    """Base class: where files come from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name

    def entries(self) -> list[Entry]:
        """Return every visible file, sorted by path; what begins with a dot is left out."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Return a text that is another one as soon as a file is added, removed or changed."""
        raise NotImplementedError

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file; from several threads at once if need be.

        Raises
        ------
        FileFormatError
            If it is too large, damaged, or has changed since it was listed.
        """
        raise NotImplementedError

    def label(self, entry: Entry) -> str:
        """Return what messages call a file."""
        return f"'{self.path / entry.path}'"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep open, within the block, what `entries` and `read` need."""
        yield

    def _require_size(self, entry: Entry) -> None:
        if entry.size > MAX_FILE:
            raise FileFormatError(
                f"{self.label(entry)} has {entry.size} bytes; at most {MAX_FILE} are read."
            )


def tree(path: Path) -> Tree:
    """Return the files below a folder, or in a zip archive.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is nothing; if it is neither of the two.
    """
    if path.is_dir():
        return FolderTree(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no folder or zip archive '{path}'.")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise FileFormatError(
            f"'{path}' is neither a folder nor a zip archive. Give a folder with one folder of "
            "images for each class, or such a folder packed by zip."
        )
    return ZipTree(path)


class FolderTree(Tree):
    """A folder on disk. Links are followed, in circles never."""

    _listed: list[Entry] | None = None

    def entries(self) -> list[Entry]:
        """Return every visible file, sorted by path."""
        if self._listed is None:
            found = self._walk(self.path, "", (os.path.realpath(self.path),))
            self._listed = sorted(found, key=lambda entry: entry.path)
        return self._listed

    def fingerprint(self) -> str:
        """Return a hash of all paths, sizes and times."""
        digest = hashlib.sha256()
        for entry in self.entries():
            line = f"{entry.path}\0{entry.size}\0{entry.stamp}\n"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file."""
        self._require_size(entry)
        try:
            with (self.path / entry.path).open("rb") as file:
                content = file.read(entry.size + 1)
        except OSError as error:
            raise FileFormatError(
                f"{self.label(entry)} cannot be read ({error.strerror})."
            ) from error
        if len(content) != entry.size:
            raise FileFormatError(f"{self.label(entry)} was changed while it was read.")
        return content

    def _walk(self, folder: Path, below: str, above: tuple[str, ...]) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as found:
                items = [item for item in found if not item.name.startswith(".")]
        except OSError as error:
            raise DataError(f"the folder '{folder}' cannot be read ({error.strerror}).") from error
        for item in items:
            if item.is_file():
                status = item.stat()
                yield Entry(f"{below}{item.name}", status.st_size, status.st_mtime_ns)
            elif item.is_dir():
                real = os.path.realpath(item.path)
                if real not in above and len(above) <= MAX_DEPTH:
                    yield from self._walk(Path(item.path), f"{below}{item.name}/", (*above, real))


class ZipTree(Tree):
    """A zip archive, read where it lies; its members are stored or deflated."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = path.stem
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def fingerprint(self) -> str:
        """Return size and time of the archive, which need not be opened for that."""
        status = self.path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the archive open within the block."""
        with self.path.open("rb") as self._file:
            self._length = os.fstat(self._file.fileno()).st_size
            yield
        self._file = None

    def label(self, entry: Entry) -> str:
        """Return what messages call a file."""
        return f"'{entry.path}' in '{self.path}'"

    def entries(self) -> list[Entry]:
        """Return every visible file, sorted by path.

        Raises
        ------
        FileFormatError
            If the archive is damaged, or a path leads out of it or stands there twice.
        """
        assert self._file is not None
        if _directory_size(self._file, self._length) > MAX_DIRECTORY:
            raise FileFormatError(
                f"'{self.path}' declares a directory above {MAX_DIRECTORY} bytes."
            )
        try:
            with zipfile.ZipFile(self._file) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise FileFormatError(
                f"'{self.path}' is damaged ({error}). Copy or pack it again."
            ) from error
        for member in members:
            path = member.filename
            if _leads_out(path):
                raise FileFormatError(
                    f"'{self.path}' holds the path {path!r}, which leads out of it. Such an "
                    "archive is not to be trusted; nothing of it is read."
                )
            if member.is_dir() or any(_is_hidden(part) for part in path.split("/")):
                continue
            if path in self._members:
                raise FileFormatError(f"'{self.path}' holds {path!r} twice. Pack it again.")
            self._members[path] = member
        return [Entry(p, m.file_size, m.CRC) for p, m in sorted(self._members.items())]

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a member, whose CRC-32 was checked."""
        self._require_size(entry)
        member, label = self._members[entry.path], self.label(entry)
        if member.flag_bits & 1:
            raise FileFormatError(f"{label} is encrypted. Pack the images without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileFormatError(
                f"{label} is compressed by method {member.compress_type}; only stored and "
                "deflated files are read. Pack it again with zip's usual method."
            )
        packed = self._packed(member)
        content = (
            packed if member.compress_type == zipfile.ZIP_STORED else _inflated(packed, member)
        )
        if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
            raise FileFormatError(
                f"{label} is damaged (its CRC-32 differs). Copy or pack it again."
            )
        return content

    def _packed(self, member: zipfile.ZipInfo) -> bytes:
        assert self._file is not None
        begin = member.header_offset  # below 0 if the archive's end lies about its directory
        if begin < 0 or begin + _LOCAL.size + member.compress_size > self._length:
            return b""
        with self._lock:
            self._file.seek(begin)
            header = self._file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
                return b""
            _, name, extra = _LOCAL.unpack(header)
            return self._file.read(name + extra + member.compress_size)[name + extra :]


def _inflated(packed: bytes, member: zipfile.ZipInfo) -> bytes:
    try:
        # One byte more than declared would show that there is more.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.file_size + 1)
    except zlib.error:
        return b""


def _directory_size(file: BinaryIO, length: int) -> int:
    """Return the bytes that an archive's end declares for its directory, before it is read."""
    file.seek(max(0, length - 2**16 - 128))
    tail = file.read()
    end, end64 = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    sizes = [0]
    if 0 <= end <= len(tail) - 16:
        sizes.append(struct.unpack_from("<I", tail, end + 12)[0] % 0xFFFFFFFF)  # all ones: below
    if 0 <= end64 <= len(tail) - 48:
        sizes.append(struct.unpack_from("<Q", tail, end64 + 40)[0])
    return max(sizes)


def _leads_out(path: str) -> bool:
    parts = re.split(r"[/\\]", path)
    return ".." in parts or path.startswith(("/", "\\")) or ":" in parts[0] or "\0" in path


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
