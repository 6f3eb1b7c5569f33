"""Which class and which part of a data set each file of an image folder belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import DataError, did_you_mean
from .trees import Entry

__all__ = ["ENDINGS", "Layout", "arrange"]

ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".ppm", ".pgm", ".pbm", ".webp")
TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # the first that is there

EXPECTED = (
    "Expected is one folder for each class, as cat/1.png and dog/1.png, perhaps below train/ and "
    "test/. Images end in " + ", ".join(ENDINGS) + "."
)


@dataclass
class Layout:
    """The images by part, with labels.

    Attributes
    ----------
    classes : tuple of str
        The names of the training part's folders, sorted.
    train, test : lists of (Entry, int)
        The files with their labels, sorted by path; ``test`` is empty where there is no such part.
    notes : list of str
        What was left out, in sentences.
    """

    classes: tuple[str, ...]
    train: list[tuple[Entry, int]]
    test: list[tuple[Entry, int]]
    notes: list[str] = field(default_factory=list)


def arrange(entries: Sequence[Entry], where: str) -> Layout:
    """Sort files into parts and classes, by their paths alone.

    Parameters
    ----------
    entries : sequence of Entry
        As a tree lists them.
    where : str
        What errors call the folder.

    Raises
    ------
    DataError
        If there are not two classes, or the test part has a class that the training part lacks.

    Examples
    --------
    >>> paths = ["b/1.png", "a/2.jpg", "a/1.jpg", "a/list.txt"]
    >>> layout = arrange([Entry(path, 1, 0) for path in paths], "pets")
    >>> layout.classes, [(entry.path, label) for entry, label in layout.train]
    (('a', 'b'), [('a/1.jpg', 0), ('a/2.jpg', 0), ('b/1.png', 1)])
    >>> layout.notes
    ['1 file is no image and was left out: a/list.txt']
    """
    images = [entry for entry in entries if entry.path.lower().endswith(ENDINGS)]
    others = [entry.path for entry in entries if not entry.path.lower().endswith(ENDINGS)]
    notes = []
    if others:
        notes.append(f"{_files(others, 'is no image', 'are no images')}: {_some(others)}")
    placed = _without_wrapper([(entry, tuple(entry.path.split("/"))) for entry in images])
    stray = [entry.path for entry, parts in placed if len(parts) == 1]
    placed = [(entry, parts) for entry, parts in placed if len(parts) > 1]
    tops = Counter(parts[0] for _, parts in placed)
    train, test, more = _parts(tops)
    if train is None:
        named = {"train": placed, "test": []}
    else:
        named = {
            part: [(entry, parts[1:]) for entry, parts in placed if parts[0] == top]
            for part, top in (("train", train), ("test", test))
        }
        stray += [e.path for part in named.values() for e, parts in part if len(parts) == 1]
        notes += [f"{top}/ with {tops[top]} images is not used" for top in more]
    if stray:
        noted = _files(stray, "lies in no class's folder", "lie in no class's folder")
        notes.append(f"{noted}: {_some(stray)}")
    inside = {part: [pair for pair in pairs if len(pair[1]) > 1] for part, pairs in named.items()}
    classes = tuple(sorted({parts[0] for _, parts in inside["train"]}))
    if len(classes) < 2:
        found = f"only the class {classes[0]!r}" if classes else "no class at all"
        raise DataError(f"there is {found}. {EXPECTED}", where=where)
    for _, parts in inside["test"]:
        if parts[0] not in classes:
            raise DataError(
                f"the class {parts[0]!r} is in {test}/, but not in {train}/, so that nothing can "
                f"be learned of it. {did_you_mean(parts[0], classes)}",
                where=where,
            )
    number = {name: label for label, name in enumerate(classes)}
    labelled = {
        part: sorted(
            ((entry, number[parts[0]]) for entry, parts in pairs), key=lambda pair: pair[0].path
        )
        for part, pairs in inside.items()
    }
    return Layout(classes, labelled["train"], labelled["test"], notes)


def _without_wrapper(
    placed: list[tuple[Entry, tuple[str, ...]]],
) -> list[tuple[Entry, tuple[str, ...]]]:
    """Take away a single folder that holds everything, as an archive of ``pets/`` has it."""
    while placed:
        tops = {parts[0] for _, parts in placed}
        if len(tops) > 1 or min(len(parts) for _, parts in placed) < 3:
            break
        if tops & {*TRAIN}:
            break
        placed = [(entry, parts[1:]) for entry, parts in placed]
    return placed


def _parts(tops: Counter[str]) -> tuple[str | None, str | None, list[str]]:
    """Return the folders of the two parts, and those of other parts; None: these are classes."""
    known = {name.lower(): name for name in tops}
    train = next((known[name] for name in TRAIN if name in known), None)
    if train is None or not all(name in (*TRAIN, *TEST) for name in known):
        return None, None, []
    test = next((known[name] for name in TEST if name in known), None)
    return train, test, sorted(set(tops) - {train, test})


def _files(paths: Sequence[str], one: str, many: str) -> str:
    return (
        f"1 file {one} and was left out"
        if len(paths) == 1
        else (f"{len(paths):,} files {many} and were left out")
    )


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
