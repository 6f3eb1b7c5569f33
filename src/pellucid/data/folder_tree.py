"""The tree of folders with their files, from which `layout` finds parts and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .file_tree import Entry
from .roles import identity

__all__ = ["Folder", "build"]


@dataclass(eq=False)
class Folder:
    """A folder; folders whose names look the same are merged.

    Attributes
    ----------
    name, path : str
        Its own name and its path below the root, in composed letters (NFC).
    folders : dict
        By name.
    images, others : lists of Entry
        The images and the other files directly inside.
    spellings : set of str
        Its names as spelled on disk.
    dropped : bool
        Whether everything in it is ignored.
    """

    name: str
    path: str
    folders: dict[str, Folder] = field(default_factory=dict)
    images: list[Entry] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    spellings: set[str] = field(default_factory=set)
    dropped: bool = False

    def inside(self, name: str) -> Folder:
        """Return the subfolder called ``name``, adding it if it is missing."""
        own = identity(name) or name
        if own not in self.folders:
            self.folders[own] = Folder(own, f"{self.path}/{own}" if self.path else own)
        folder = self.folders[own]
        folder.spellings.add(name)
        return folder

    def copy(self) -> Folder:
        """Return a folder that stays countable when this one is dropped."""
        return Folder(self.name, self.path, self.folders, self.images)

    def all_images(self) -> Iterator[Entry]:
        """Yield the images at any depth."""
        if not self.dropped:
            yield from self.images
            for folder in self.folders.values():
                yield from folder.all_images()

    @property
    def count(self) -> int:
        """The number of images at any depth."""
        return sum(1 for _ in self.all_images())

    def has_images(self) -> bool:
        """Return whether there is an image at any depth."""
        return next(self.all_images(), None) is not None

    def holders(self) -> list[Folder]:
        """Return the subfolders with images, sorted by name."""
        return sorted((f for f in self.folders.values() if f.has_images()), key=lambda f: f.name)

    def without_images(self) -> list[Folder]:
        """Return the subfolders without images, sorted by name."""
        return sorted(
            (f for f in self.folders.values() if not f.dropped and not f.has_images()),
            key=lambda f: f.name,
        )

    def all_others(self) -> Iterator[Entry]:
        """Yield the files at any depth that are not images."""
        yield from self.others
        for folder in self.folders.values():
            yield from folder.all_others()

    def all_folders(self) -> Iterator[Folder]:
        """Yield this folder and its subfolders at any depth."""
        yield self
        for folder in self.folders.values():
            if not folder.dropped:
                yield from folder.all_folders()

    def contents(self, without: Folder | None = None) -> dict[str, int]:
        """Return the sizes of the images in subfolders, by their paths below this folder."""
        found: dict[str, int] = {}
        stack = [("", f) for f in self.folders.values() if f is not without and not f.dropped]
        while stack:
            below, folder = stack.pop()
            here = f"{below}{folder.name}/"
            for entry in folder.images:
                found[here + identity(entry.path.rsplit("/", 1)[-1])] = entry.size
            stack += [(here, f) for f in folder.folders.values() if not f.dropped]
        return found

    def described(self) -> str:
        """Return a few words on the contents, for messages."""
        inside, n = len(self.holders()), self.count
        images = f"{n:,} image{'s' * (n != 1)}"
        if not n:
            return f"{self.path}/ (no images)"
        if not inside:
            return f"{self.path}/ ({images}, no folders inside)"
        return f"{self.path}/ ({images} in {inside:,} folder{'s' * (inside != 1)})"


def build(
    files: Sequence[Entry],
    folders: Sequence[str],
    is_image: Callable[[Entry], bool],
    names: Mapping[str, str] | None = None,
) -> Folder:
    """Return the root of the tree of ``files`` and ``folders``.

    ``names`` are the readable names of folders whose names on disk are not UTF-8.

    Examples
    --------
    >>> files = [Entry("cat/1.png", 9, 0), Entry("x.txt", 1, 0)]
    >>> root = build(files, ["dog"], lambda entry: entry.size > 1)
    >>> sorted(root.folders), [f.name for f in root.holders()], root.count
    (['cat', 'dog'], ['cat'], 1)
    """
    root = Folder("", "")
    known = {"": root}  # by real paths, so that each is split once

    def at(path: str) -> Folder:
        if path not in known:
            above, _, name = path.rpartition("/")
            known[path] = at(above).inside((names or {}).get(name, name))
        return known[path]

    for path in folders:
        at(path)
    for entry in files:
        folder = at(entry.path.rpartition("/")[0])
        (folder.images if is_image(entry) else folder.others).append(entry)
    return root
