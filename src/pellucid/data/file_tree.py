"""List the files below a folder or inside a zip archive, and read them one at a time.

Nothing is unpacked. A file is hostile until read: paths stay inside their archive, and sizes that a
header declares are compared with the bytes present before memory is allocated.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ..errors import DataError, FileFormatError
from ..names import plain
from .file_names import guess_encoding, some
from .picture_kinds import ENDINGS, HEAD, MAX_FILE, Kind, kind_of

__all__ = [
    "ARCHIVES",
    "MAX_DEPTH",
    "MAX_FILE",
    "Entry",
    "FolderTree",
    "Listing",
    "Tree",
    "is_hidden",
    "listing_by_content",
    "note_deep",
    "tree",
]

MAX_DEPTH = 16  # nested folders
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")

# Folders made by macOS, Windows, Linux, Synology, QNAP and Python.
SYSTEM = frozenset(
    ("__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle",
     "@recycle", "#snapshot", "__pycache__")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its path below the root with forward slashes, its size, and a stamp of its contents.

    ``stamp`` is a checksum, or the times of the last change of the contents and of the file itself:
    a file that was moved here, or copied with its times, keeps the first, but not the second.
    """

    path: str
    size: int
    stamp: int | tuple[int, int]
    kind: Kind | None = None  # by its content, if its ending does not tell


@dataclass
class Listing:
    """What a tree holds.

    Attributes
    ----------
    files : sequence of Entry
        Every visible file, sorted by path.
    folders : sequence of str
        The paths of all known folders, including those without files.
    notes : sequence of str
        What could not be listed, in sentences.
    names : mapping
        The readable names of folders whose names on disk are not UTF-8.
    """

    files: Sequence[Entry]
    folders: Sequence[str] = ()
    notes: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)


class Tree:
    """Base class: a source of files.

    Attributes
    ----------
    fingerprinted : str or None
        Its fingerprint, if this process, or another one that sees it too, has found it.
    """

    fingerprinted: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name

    def listing(self) -> Listing:
        """Return every visible file and folder; names that begin with a dot are left out."""
        raise NotImplementedError

    def entries(self) -> Sequence[Entry]:
        """Return every visible file, sorted by path."""
        return self.listing().files

    def fingerprint(self) -> str:
        """Return a text that changes whenever a file is added, removed or changed."""
        raise NotImplementedError

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file; safe to call from several threads.

        Raises
        ------
        FileFormatError
            If it is too large, damaged, or has changed since it was listed.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Prepare an open source to `read` entries that another process has listed."""

    def head(self, entry: Entry) -> bytes:
        """Return the first ``HEAD`` bytes of a file; none if it cannot be read."""
        raise NotImplementedError

    def label(self, entry: Entry) -> str:
        """Return the name of a file in messages."""
        return f"'{plain(str(self.path / entry.path))}'"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the source open for `listing` and `read` within the block."""
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
        If the path does not exist; if it is neither of the two.
    """
    from .archives import require_zip  # here, as these are built on the classes above
    from .zip_tree import ZipTree

    if path.is_dir():
        return FolderTree(path)
    require_zip(path)
    return ZipTree(path)


def listing_by_content(source: Tree) -> Listing:
    """Return the listing of an open tree, with the kind of each file whose ending does not tell."""
    listing = source.listing()
    files = [
        entry
        if entry.path.lower().endswith(ENDINGS)
        else replace(
            entry, kind=kind_of(source.head(entry), PurePosixPath(entry.path).suffix.lower())
        )
        for entry in listing.files
    ]
    return replace(listing, files=files)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or belongs to the system."""
    return name.startswith(".") or name.casefold() in SYSTEM


def note_deep(paths: Sequence[str]) -> list[str]:
    """Return a note on folders that are nested too deeply to be read."""
    return _noted(
        paths, f"folder is nested more than {MAX_DEPTH} deep and was not read",
        f"folders are nested more than {MAX_DEPTH} deep and were not read",
    )  # fmt: skip


class FolderTree(Tree):
    """A folder on disk. Links are followed, cycles are not."""

    _listed: Listing | None = None

    def listing(self) -> Listing:
        """Return every visible file and folder."""
        if self._listed is None:
            self._folders: list[str] = []
            self._deep: list[str] = []
            self._odd: list[str] = []
            found = self._walk(self.path, "", (os.path.realpath(self.path),))
            files = sorted(found, key=lambda entry: entry.path)
            notes = note_deep(sorted(self._deep)) + _noted(
                sorted(self._odd),
                "item is not a readable file (a broken link or a device) and was left out",
                "items are not readable files (broken links or devices) and were left out",
            )
            names = self._readable(notes)
            self._listed = Listing(files, sorted(self._folders), notes, names)
        return self._listed

    def fingerprint(self) -> str:
        """Return a hash of all paths, sizes and times."""
        digest, listing = hashlib.sha256(), self.listing()
        lines = [f"{entry.path}\0{entry.size}\0{entry.stamp}\n" for entry in listing.files]
        lines += [f"{path}/\n" for path in listing.folders]
        lines += [f"{note}\n" for note in listing.notes]
        for line in lines:
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

    def head(self, entry: Entry) -> bytes:
        """Return the first bytes of a file."""
        try:
            with (self.path / entry.path).open("rb", buffering=0) as file:
                return file.read(HEAD)
        except OSError:
            return b""

    def _walk(self, folder: Path, below: str, above: tuple[str, ...]) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as found:
                items = [item for item in found if not is_hidden(item.name)]
        except OSError as error:
            raise _unreadable(folder, error) from error
        for item in items:
            try:
                status = item.stat() if item.is_file() else None
                is_folder = item.is_dir()
            except OSError as error:
                if not item.is_symlink():  # a link may be part of a cycle
                    raise _unreadable(Path(item.path), error) from error
                status, is_folder = None, False
            path = f"{below}{item.name}"
            if status is not None:
                yield Entry(path, status.st_size, (status.st_mtime_ns, status.st_ctime_ns))
            elif is_folder:
                real = os.path.realpath(item.path)
                if real in above:
                    continue
                if len(above) > MAX_DEPTH:
                    self._deep.append(path)
                    continue
                self._folders.append(path)
                yield from self._walk(Path(item.path), f"{path}/", (*above, real))
            else:
                self._odd.append(path)

    def _readable(self, notes: list[str]) -> dict[str, str]:
        """Return readable names of folders that some program unpacked in another encoding."""
        odd = {
            name
            for path in self._folders
            for name in path.split("/")
            if not name.isascii() and any("\udc80" <= c <= "\udcff" for c in name)
        }
        if not odd:
            return {}
        raw = {name: os.fsencode(name) for name in odd}
        encoding, called = guess_encoding(raw.values())
        notes.append(f"names of folders are not in UTF-8; they are read as {called}")
        return {name: content.decode(encoding, "replace") for name, content in raw.items()}


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"'{plain(str(path))}' cannot be read ({error.strerror}).")


def _noted(paths: Sequence[str], one: str, many: str) -> list[str]:
    if not paths:
        return []
    return [f"{len(paths):,} {one if len(paths) == 1 else many}: {some(paths)}"]
