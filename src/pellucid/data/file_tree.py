"""The files below a folder, or inside a zip archive: listed, and read one at a time.

Nothing is unpacked. A file is hostile until read: paths stay inside their archive, and what a
header declares is compared with the bytes that are there before memory is taken.
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
    "looked_into",
    "note_deep",
    "tree",
]

MAX_DEPTH = 16  # folders inside folders
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")

# What systems leave in folders: of macOS, Windows, Linux, Synology, QNAP and Python.
SYSTEM = frozenset(
    ("__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle",
     "@recycle", "#snapshot", "__pycache__")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its path below the root with forward slashes, its bytes, and what tells its contents.

    ``stamp`` is a checksum, or when the contents and the file itself were changed: a file that was
    moved here, or copied with its times, has the times of its contents, but was itself changed now.
    """

    path: str
    size: int
    stamp: int | tuple[int, int]
    kind: Kind | None = None  # what its content says, where its ending does not


@dataclass
class Listing:
    """What a tree holds.

    Attributes
    ----------
    files : sequence of Entry
        Every visible file, sorted by path.
    folders : sequence of str
        The paths of all folders that are known, those without files too.
    notes : sequence of str
        What cannot be listed, in sentences.
    names : mapping
        The readable names of folders that are not written in UTF-8 on disk.
    """

    files: Sequence[Entry]
    folders: Sequence[str] = ()
    notes: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)


class Tree:
    """Base class: where files come from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name

    def listing(self) -> Listing:
        """Return every visible file and folder; what begins with a dot is left out."""
        raise NotImplementedError

    def entries(self) -> Sequence[Entry]:
        """Return every visible file, sorted by path."""
        return self.listing().files

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

    def head(self, entry: Entry) -> bytes:
        """Return the first ``HEAD`` bytes of a file; none where it cannot be read."""
        raise NotImplementedError

    def label(self, entry: Entry) -> str:
        """Return what messages call a file."""
        return f"'{plain(str(self.path / entry.path))}'"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep open, within the block, what `listing` and `read` need."""
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
    from .archives import require_zip  # here, as these are built on the classes above
    from .zip_tree import ZipTree

    if path.is_dir():
        return FolderTree(path)
    require_zip(path)
    return ZipTree(path)


def looked_into(source: Tree) -> Listing:
    """Return what an open tree holds, each file looked into whose ending is not an image's."""
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
    """Return whether a file or folder is hidden, or the system's own."""
    return name.startswith(".") or name.casefold() in SYSTEM


def note_deep(paths: Sequence[str]) -> list[str]:
    """Say which folders lie too deep to be read."""
    return _noted(
        paths, f"folder lies inside {MAX_DEPTH} others and was not read",
        f"folders lie inside {MAX_DEPTH} others and were not read",
    )  # fmt: skip


class FolderTree(Tree):
    """A folder on disk. Links are followed, in circles never."""

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
                sorted(self._odd), "item is no file that can be read (a link that leads nowhere, "
                "or a device) and was left out", "items are no files that can be read (links that "
                "lead nowhere, or devices) and were left out",
            )  # fmt: skip
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
                if not item.is_symlink():  # which may lead in a circle
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
        """Return readable names of folders that are not in UTF-8, as some programs unpack them."""
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
