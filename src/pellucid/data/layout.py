"""Assign each file of an image folder to a part and a class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import DataError, did_you_mean
from ..names import plain
from .evidence import NO_CLASS
from .file_names import some
from .file_tree import ARCHIVES, Entry, Listing
from .folder_tree import Folder, build
from .layout_notes import (
    at,
    counted,
    left_out,
    note_classes,
    note_empty,
    note_others,
    note_parts,
    note_spellings,
    refuse_empty,
)
from .parts import Found, Part, find_parts
from .picture_kinds import ENDINGS, FORMATS
from .roles import is_generic, loosely

__all__ = ["Layout", "arrange"]

TABLES = (".csv", ".tsv", ".json", ".xml", ".mat", ".xlsx")
COPY = "-checkpoint."  # in the name of a copy by Jupyter

EXPECTED = (
    "Expected is one folder per class, as in cat/1.png and dog/1.png, perhaps inside train/ and "
    f"test/. Images are {', '.join(FORMATS[:-1])} or {FORMATS[-1]}."
)


@dataclass
class Layout:
    """The images by part, with labels.

    Attributes
    ----------
    classes : tuple of str
        The names of the training part's folders, sorted, in composed letters (NFC).
    train, test : lists of (Entry, int)
        The files with their labels, sorted by path; ``test`` is empty if there is no such part.
    validation : list of (Entry, int)
        The files of a validation folder if there is also a test folder; without one they are in
        ``test``.
    notes : list of str
        What was assumed and what was left out, in sentences.
    """

    classes: tuple[str, ...]
    train: list[tuple[Entry, int]]
    test: list[tuple[Entry, int]]
    notes: list[str] = field(default_factory=list)
    validation: list[tuple[Entry, int]] = field(default_factory=list)

    @property
    def files(self) -> list[tuple[Entry, int]]:
        """All of them, in the order train, test, validation."""
        return [*self.train, *self.test, *self.validation]


def arrange(
    listing: Listing,
    where: str,
    *,
    skip_empty: bool = False,
    own_validation: bool = False,
    draw_test: bool = False,
) -> Layout:
    """Assign files to parts and classes, by their paths and sizes only.

    Parameters
    ----------
    listing : Listing
        The contents of a tree.
    where : str
        The name of the folder in errors.
    skip_empty : bool
        Leave class folders without images out, instead of refusing them.
    own_validation : bool
        Whether a validation folder beside a test folder is used; a note says so, or that it is not.
    draw_test : bool
        Whether a validation folder is never the test part, as a test set will be drawn.

    Raises
    ------
    DataError
        If there are fewer than two classes, the test part has a class that the training part lacks,
        a class folder is empty, or the tree can be read in more than one way.

    Examples
    --------
    >>> paths = ["b/1.png", "b/2.png", "a/1.jpg", "a/2.jpg", "a/list.txt"]
    >>> layout = arrange(Listing([Entry(path, 1, 0) for path in paths]), "pets")
    >>> layout.classes, [(entry.path, label) for entry, label in layout.train]
    (('a', 'b'), [('a/1.jpg', 0), ('a/2.jpg', 0), ('b/1.png', 1), ('b/2.png', 1)])
    >>> layout.notes
    ['1 file is not an image and was left out: a/list.txt']
    """
    notes = list(listing.notes)
    notes += note_others([entry for entry in listing.files if not is_image(entry)])
    files = _without_copies(listing.files, notes)
    root = build(files, listing.folders, is_image, listing.names)
    try:
        if not root.has_images():
            raise DataError(f"{NO_CLASS}. {_hint(files)}{EXPECTED}")
        found = find_parts(root, skip_empty=skip_empty)
        if draw_test and found.test is None:
            found.drawn = True
        layout = _labelled(found, root, notes, skip_empty, own_validation)
    except DataError as error:
        error.where = where
        hint = _hint(files).rstrip()
        if (
            hint
            and hint not in error.message
            and (error.message.startswith(f"{NO_CLASS}: ") or "archives" in hint)
        ):
            error.message += f" {hint}"
        error.message = plain(error.message)
        raise
    layout.notes = [plain(note) for note in layout.notes]
    return layout


def is_image(entry: Entry) -> bool:
    """Return whether a file is an image: by its content if that was read, else by its ending."""
    return entry.path.lower().endswith(ENDINGS) if entry.kind is None else entry.kind.read


def _labelled(
    found: Found, root: Folder, notes: list[str], skip_empty: bool, own_validation: bool
) -> Layout:
    train, test, validation = found.train, found.tested, found.beside
    empty = [*train.empty, *(test.empty if test else [])]
    if empty and not skip_empty:
        refuse_empty(empty)
    classes = tuple(sorted(train.classes))
    if len(classes) == 1 and is_generic(classes[0]) and not classes[0].isdigit():
        path = train.classes[classes[0]].path
        raise DataError(f"{NO_CLASS}: {path}/ holds only images. {EXPECTED}")
    if len(classes) < 2:
        known = f"there is only the class {classes[0]!r}" if classes else NO_CLASS
        below = f" in {at(train.path)}" if train.path else ""
        raise DataError(f"{known}{below}. {EXPECTED}")
    labels = {name: label for label, name in enumerate(classes)}
    left = {loosely(folder.name) for folder in train.empty}
    used = {"train": _entries(train, {name: (name,) for name in classes}, labels)}
    known_as: list[str] = []
    names = {} if test is None else _matched(test, train, left, known_as)
    used["test"] = [] if test is None else _entries(test, names, labels)
    used["validation"] = []
    if validation is not None:
        said, unused = (known_as, found.unused) if own_validation else ([], [])
        alike = _matched(validation, train, left, said, unused)
        used["validation"] = _entries(validation, alike, labels)
        if not own_validation:
            found.unused.append((_all(validation), "there is a test folder"))
    if empty:
        notes.append(note_empty(empty))
    notes += note_parts(found, own_validation=own_validation)
    notes += known_as
    if test is not None:
        for name in [n for n in test.classes if loosely(n) in left and n not in classes]:
            found.unused.append((test.classes[name], "its class has no training images"))
        missing = sorted({name for name in classes if name not in names})
        if missing:
            notes.append(f"there are no test images of {counted(missing)}")
    notes += [f"{at(folder.path)} holds no images" for folder in found.hollow]
    for folder, reason in sorted(found.unused, key=lambda pair: pair[0].path):
        notes.append(
            f"{at(folder.path)} with {folder.count:,} image{'s' * (folder.count != 1)} is not "
            f"used: {reason}"
        )
    taken = {entry.path for pairs in used.values() for entry, _ in pairs}
    taken |= {entry.path for folder, _ in found.unused for entry in folder.all_images()}
    stray = [entry.path for entry in _every_image(root) if entry.path not in taken]
    if stray:
        notes.append(
            left_out(stray, "is outside the class folders", "are outside the class folders")
        )
    notes += note_spellings(root)
    notes += note_classes(train, test)
    return Layout(classes, used["train"], used["test"], notes, used["validation"])


def _entries(
    part: Part, names: dict[str, tuple[str, ...]], labels: dict[str, int]
) -> list[tuple[Entry, int]]:
    pairs = [
        (entry, labels[name])
        for name, folders in names.items()
        for folder in folders
        for entry in part.classes[folder].all_images()
    ]
    return sorted(pairs, key=lambda pair: pair[0].path)


def _matched(
    test: Part,
    train: Part,
    left: set[str],
    notes: list[str],
    unused: list[tuple[Folder, str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the test part's folders for each class of the training part.

    A folder whose name matches no class, or more than one, is added to ``unused``.

    Raises
    ------
    DataError
        Without ``unused``, if there is such a folder.
    """
    alike: dict[str, list[str]] = {}
    for name in train.classes:
        alike.setdefault(loosely(name), []).append(name)
    found: dict[str, tuple[str, ...]] = {}
    for name in test.classes:
        own = [name] if name in train.classes else alike.get(loosely(name), [])
        if len(own) == 1:
            found[own[0]] = (*found.get(own[0], ()), name)
            if own[0] != name:
                notes.append(
                    f"{test.classes[name].path}/ is taken for the class {own[0]!r}, whose name "
                    "differs only in case, width or spaces"
                )
        elif unused is not None:
            unused.append((test.classes[name], "its class has no training images"))
        elif loosely(name) not in left:
            raise DataError(
                f"the class {name!r} is in {at(test.path)}, but not in {at(train.path)}: it would "
                f"have no training images. {did_you_mean(name, train.classes)}"
            )
    return found


def _all(part: Part) -> Folder:
    """Return a part as one folder, for counting its images."""
    return Folder(part.path, part.path, dict(part.classes))


def _every_image(root: Folder) -> Iterable[Entry]:
    yield from root.images
    for folder in root.folders.values():
        yield from _every_image(folder)


def _without_copies(files: Sequence[Entry], notes: list[str]) -> list[Entry]:
    """Leave out copies of images that Jupyter made."""
    suspects = [e for e in files if COPY in e.path and is_image(e)]
    if not suspects:
        return list(files)
    known = {entry.path for entry in files}
    copies = {e.path for e in suspects if ".".join(e.path.rsplit(COPY, 1)) in known}
    if copies:
        notes.append(left_out(sorted(copies), "is a copy by Jupyter", "are copies by Jupyter"))
    return [entry for entry in files if entry.path not in copies]


def _hint(files: Sequence[Entry]) -> str:
    """Return the likely reason for a folder without classes; empty if unknown."""
    archives = [e.path for e in files if e.path.lower().endswith(ARCHIVES)]
    if archives:
        return f"There are archives in it ({some(archives)}): unpack them, and give the folder. "
    names = [e.path.rsplit("/", 1)[-1] for e in files if is_image(e)]
    begins = {
        m[1] for name in names if (m := re.match(r"([^\W\d_]+(?:_[^\W\d_]+)*)[ ._-]*\d", name))
    }
    if 1 < len(begins) <= len(names) // 2:
        return (
            f"The classes seem to be in the names of the files ({some(sorted(begins))}): make a "
            "folder for each, and move its images there. "
        )
    tables = [e.path for e in files if e.path.lower().endswith(TABLES)]
    if tables:
        return (
            f"Labels in a file ({some(tables)}) are not read: make a folder for each class, and "
            "move its images there. "
        )
    return ""
