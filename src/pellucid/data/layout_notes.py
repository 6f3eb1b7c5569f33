"""The notes on how a folder was read: what was assumed, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NoReturn

from ..errors import DataError
from ..names import plain
from .file_names import some
from .file_tree import Entry
from .folder_tree import Folder
from .parts import Found, Part
from .roles import is_date, is_generic, loosely, role_of

__all__ = [
    "at",
    "counted",
    "left_out",
    "note_classes",
    "note_empty",
    "note_others",
    "note_parts",
    "note_spellings",
    "refuse_empty",
]


def left_out(paths: Sequence[str], one: str, many: str) -> str:
    """Return a sentence on files that were left out, with the reason."""
    if len(paths) == 1:
        return f"1 file {one} and was left out: {plain(paths[0])}"
    return f"{len(paths):,} files {many} and were left out: {some(paths)}"


def note_others(entries: Sequence[Entry]) -> list[str]:
    """Return a sentence for each kind of file that is not read as an image."""
    kinds: dict[str, list[str]] = {}
    for entry in entries:
        kinds.setdefault(entry.kind.name if entry.kind else "", []).append(entry.path)
    return [
        left_out(paths, f"is {kind}, which is not read,", f"are each {kind}, which is not read,")
        if kind
        else left_out(paths, "is not an image", "are not images")
        for kind, paths in sorted(kinds.items())
    ]


def counted(names: Sequence[str]) -> str:
    """Return a class by its name, or the number of classes and the first names.

    Examples
    --------
    >>> counted(["cat"]), counted(["a", "b", "c", "d"])
    ("the class 'cat'", "4 classes: 'a', 'b', 'c', ...")
    """
    if len(names) == 1:
        return f"the class {names[0]!r}"
    return f"{len(names):,} classes: {', '.join(map(repr, names[:3]))}" + ", ..." * (len(names) > 3)


def at(path: str) -> str:
    """Return a part's path as written in messages."""
    return f"{path}/" if path else "the folder"


def refuse_empty(folders: Sequence[Folder]) -> NoReturn:
    """Raise the error that names class folders without images."""
    names = [f"{f.path}/{_instead(f)}" for f in folders[:5]]
    more = f" and {len(folders) - 5:,} more" * (len(folders) > 5)
    one = len(folders) == 1
    what = "a class folder holds" if one else f"{len(folders):,} class folders hold"
    raise DataError(
        f"{what} no images: {', '.join(names)}{more}. Add images, remove the folder"
        f"{'' if one else 's'}, or leave {'it' if one else 'them'} out with {{skip_empty}}.",
        arguments={"skip_empty": True},
    )


def note_empty(folders: Sequence[Folder]) -> str:
    """Return the sentence on class folders that were left out."""
    paths = [f"{f.path}/" for f in folders]
    if len(paths) == 1:
        return f"1 class folder holds no images and was left out: {paths[0]}"
    return f"{len(paths):,} class folders hold no images and were left out: {some(paths)}"


def note_parts(found: Found, *, own_validation: bool = False) -> list[str]:
    """Say which folder is used for which part, unless their names tell."""
    train, test = found.train, found.tested
    validation = found.beside if own_validation else None
    if validation is not None:
        more = "" if test is None else f"; test: {_counted(test)}"
        return [f"train: {_counted(train)}; validation: {_counted(validation)}{more}"]
    if test is None:
        above = next(iter(train.classes.values())).path.split("/")[:-1]
        odd = [n for n in above if (r := role_of(n)) and r.exact and r.part != "train"]
        if odd and not train.path:
            return [f"all images are in {odd[0]}/, which is used for training as well"]
        if not train.path:
            return []
        return [f"train: {_counted(train)}; there is no test folder with classes"]
    why = "" if found.test else " (there is no test folder)"
    here, there = PurePosixPath(train.path), PurePosixPath(test.path)
    usual = (here.name.lower(), there.name.lower()) == ("train", "test")
    if usual and not why and here.parent == there.parent:
        return []
    return [f"train: {_counted(train)}; test: {_counted(test)}{why}"]


def note_spellings(root: Folder) -> list[str]:
    """Say which folders were merged because their names look the same."""
    several = [f.path for f in root.all_folders() if len(f.spellings) > 1]
    if not several:
        return []
    return [
        f"folders whose names look the same are merged: {some(several)} (they differ in how "
        "letters are composed, or in spaces at the ends)"
    ]


def note_classes(train: Part, test: Part | None) -> list[str]:
    """Return notes on suspicious classes."""
    notes = []
    times = Counter(loosely(name) for name in train.classes)
    alike = sorted(name for name in train.classes if times[loosely(name)] > 1)
    if alike:
        notes.append(f"{counted(alike)} differ only in case, width or spaces")
    inner = [[f.name for f in folder.holders()] for folder in train.classes.values()]
    deep = all(len(names) > 1 for names in inner) and not any(
        is_generic(n) or is_date(n) for names in inner for n in names
    )
    if deep and not any(folder.images for folder in train.classes.values()):
        notes.append("all class folders have subfolders, whose names are ignored")
    single = sorted(name for name, folder in train.classes.items() if folder.count == 1)
    if test is None and single:
        notes.append(f"there is only one image, which is not held out, of {counted(single)}")
    return notes


def _counted(part: Part) -> str:
    n = part.count
    return f"{at(part.path)} ({n:,} image{'s' * (n != 1)})"


def _instead(folder: Folder) -> str:
    others = [entry.path for entry in folder.all_others()]
    if not others:
        return ""
    return f" (only {some([path.rsplit('/', 1)[-1] for path in others])})"
