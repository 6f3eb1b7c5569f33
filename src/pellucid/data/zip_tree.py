"""A zip archive, read without unpacking it."""

from __future__ import annotations

import os
import re
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import FileFormatError
from ..names import plain
from .file_names import guess_encoding, some
from .file_tree import MAX_DEPTH, Entry, Listing, Tree, is_hidden, note_deep
from .picture_kinds import HEAD

__all__ = ["ZipTree"]

MAX_DIRECTORY = 2**29  # bytes of a zip archive's directory: some five million files

_LOCAL = struct.Struct("<4s22xHH")  # a zip file's header before each member
_UTF8 = 1 << 11  # the flag that a name is in UTF-8


class ZipTree(Tree):
    """A zip archive of stored or deflated members, read without unpacking it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.name = path.stem
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._blocks = 0  # in which it is open

    def fingerprint(self) -> str:
        """Return the size and times of the archive, without opening it."""
        status = self.path.stat()
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the archive open within the block, and as long as any other such block lasts."""
        if self._file is None:
            self._file = self.path.open("rb")
            self._length = os.fstat(self._file.fileno()).st_size
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks:
                file, self._file = self._file, None
                file.close()

    def label(self, entry: Entry) -> str:
        """Return the name of a file in messages."""
        return f"'{plain(entry.path)}' in '{self.path}'"

    def listing(self) -> Listing:
        """Return every visible file and folder.

        Backslashes, which old Windows programs write, separate folders as well.

        Raises
        ------
        FileFormatError
            If the archive is damaged or encrypted, or a path leads out of it or occurs twice.
        """
        members = self._infos()
        names, notes = _decoded(members)
        self._members, folders, deep, links = {}, set(), set(), []
        for member, name in zip(members, names, strict=True):
            whole = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
            if _leads_out(name, whole):
                raise FileFormatError(
                    f"'{self.path}' holds the path {name!r}, which leads out of it. Do not trust "
                    "such an archive; nothing of it was read."
                )
            is_folder = name.endswith(("/", "\\"))
            visible = next((k for k, part in enumerate(whole) if is_hidden(part)), len(whole))
            above = whole[: min(visible, len(whole) - (not is_folder))]
            folders |= {"/".join(above[: k + 1]) for k in range(min(len(above), MAX_DEPTH))}
            if visible < len(whole) or is_folder or not whole:
                continue
            path = "/".join(whole)
            if len(above) > MAX_DEPTH:
                deep.add("/".join(above[: MAX_DEPTH + 1]))
            elif member.create_system == 3 and stat.S_ISLNK(member.external_attr >> 16):
                links.append(path)
            elif path in self._members:
                raise FileFormatError(f"'{self.path}' holds {path!r} twice. Pack it again.")
            else:
                self._members[path] = member
        self._require_open()
        notes += note_deep(sorted(deep))
        if links:
            what = (
                "1 file is a link and was"
                if len(links) == 1
                else f"{len(links)} files are links and were"
            )
            notes.append(f"{what} left out: {some(links)}")
        files = [Entry(p, m.file_size, m.CRC) for p, m in sorted(self._members.items())]
        return Listing(files, sorted(folders), notes)

    def prepare(self) -> None:
        """Read where each member is."""
        self.listing()

    def _infos(self) -> list[zipfile.ZipInfo]:
        assert self._file is not None
        size, part = _end(self._file, self._length)
        if part:
            raise FileFormatError(
                f"'{self.path}' is the last part of a split archive. Join the parts (zip -s 0 "
                f"{self.path.name} --out whole.zip) and give the whole."
            )
        if size > MAX_DIRECTORY:
            raise FileFormatError(
                f"'{self.path}' declares a directory above {MAX_DIRECTORY} bytes."
            )
        try:
            with zipfile.ZipFile(self._file) as archive:
                return archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise FileFormatError(
                f"'{self.path}' is damaged ({error}). Copy or pack it again."
            ) from error

    def _require_open(self) -> None:
        """Refuse an encrypted archive once, instead of each of its images."""
        locked = [path for path, member in self._members.items() if member.flag_bits & 1]
        if locked:
            raise FileFormatError(
                f"'{self.path}' is encrypted ({len(locked):,} of {len(self._members):,} files). "
                "Pack the images without a password."
            )

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a member, with its CRC-32 checked."""
        self._require_size(entry)
        member, label = self._members.get(entry.path), self.label(entry)
        if member is None:  # another process listed it
            raise FileFormatError(f"{label} is not in it any more: the archive was changed.")
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

    def head(self, entry: Entry) -> bytes:
        """Return the first bytes of a member."""
        member = self._members[entry.path]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return b""
        packed = self._packed(member, 4 * HEAD)  # inflates to at least HEAD bytes
        if member.compress_type == zipfile.ZIP_STORED:
            return packed[:HEAD]
        with suppress(zlib.error):
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, HEAD)
        return b""

    def _packed(self, member: zipfile.ZipInfo, most: int | None = None) -> bytes:
        """Return the stored bytes of a member, or the first ``most`` of them."""
        assert self._file is not None
        begin = member.header_offset  # negative if the end record is wrong
        if begin < 0 or begin + _LOCAL.size + member.compress_size > self._length:
            return b""
        with self._lock:
            self._file.seek(begin)
            header = self._file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
                return b""
            _, name, extra = _LOCAL.unpack(header)
            size = member.compress_size if most is None else min(most, member.compress_size)
            return self._file.read(name + extra + size)[name + extra :]


def _inflated(packed: bytes, member: zipfile.ZipInfo) -> bytes:
    try:
        # Ask for one byte more than declared, to notice if there is more.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.file_size + 1)
    except zlib.error:
        return b""


def _end(file: BinaryIO, length: int) -> tuple[int, int]:
    """Return the size of an archive's directory, and the number of its part, as its end declares.

    Both are checked before anything else is read: the size may be false, and a part of a split
    archive would look damaged.
    """
    file.seek(max(0, length - 2**16 - 128))
    tail = file.read()
    end, end64 = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    sizes, part = [0], 0
    if 0 <= end <= len(tail) - 16:
        # All ones stand for: see the zip64 record.
        part = struct.unpack_from("<H", tail, end + 4)[0] % 0xFFFF
        sizes.append(struct.unpack_from("<I", tail, end + 12)[0] % 0xFFFFFFFF)
    if 0 <= end64 <= len(tail) - 48:
        sizes.append(struct.unpack_from("<Q", tail, end64 + 40)[0])
        part = part or struct.unpack_from("<I", tail, end64 + 16)[0]
    return max(sizes), part


def _leads_out(path: str, parts: Sequence[str]) -> bool:
    drive = bool(parts) and ":" in parts[0]
    return ".." in parts or path.startswith(("/", "\\")) or drive or "\0" in path


def _decoded(members: Sequence[zipfile.ZipInfo]) -> tuple[list[str], list[str]]:
    """Return the decoded names of members, and a note on the encoding assumed."""
    names, unknown = {}, {}
    for k, member in enumerate(members):
        name = member.orig_filename  # `filename` ends at a NUL, and has lost its backslashes
        if member.flag_bits & _UTF8 or name.isascii():
            names[k] = name
            continue
        raw = name.encode("cp437")  # undoes zipfile's decoding without loss
        if (unicode := _unicode_path(member.extra, raw)) is not None:
            names[k] = unicode
        else:
            unknown[k] = raw
    if not unknown:
        return [names[k] for k in range(len(members))], []
    encoding, called = guess_encoding(unknown.values())
    names |= {k: raw.decode(encoding, "replace") for k, raw in unknown.items()}
    note = f"names in the archive are not marked as UTF-8; they are read as {called}"
    notes = [] if encoding == "utf-8" else [note]
    return [names[k] for k in range(len(members))], notes


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in Info-ZIP's Unicode Path field, if it has one that matches ``raw``."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and len(field) > 5 and field[0] == 1:
            if struct.unpack_from("<I", field, 1)[0] != zlib.crc32(raw):
                return None
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
    return None
