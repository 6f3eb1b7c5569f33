"""Find the parts of a data set and their class folders in a tree of folders.

Names alone do not tell: a class may be called ``train``, and a training folder ``seg_train``. The
contents decide: parts hold class folders, whose names recur from part to part, and a class holds
images. An ambiguous tree is refused, with what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .duplicate_folders import drop_copies
from .evidence import (
    Evidence,
    folders_of_parts,
    names_images,
    no_classes,
    part_of,
    refused,
    through,
)
from .folder_tree import Folder
from .roles import is_annotation, loosely, role_of

__all__ = ["Found", "Part", "find_parts"]


@dataclass
class Part:
    """A part of a data set.

    Attributes
    ----------
    path : str
        Its path in messages; "" if there is only one part.
    classes : dict
        The class folders by name.
    empty : list of Folder
        Folders beside them without images.
    """

    path: str
    classes: dict[str, Folder]
    empty: list[Folder] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of images in all class folders."""
        return sum(folder.count for folder in self.classes.values())


@dataclass
class Found:
    """The parts of a tree.

    Attributes
    ----------
    train : Part
    validation, test : Part or None
    unused : list of (Folder, str)
        Folders that are not used, and why.
    hollow : list of Folder
        Folders without images that are parts by their names, or that were skipped.
    drawn : bool
        Whether a test part will be drawn from the training part.
    """

    train: Part
    validation: Part | None = None
    test: Part | None = None
    unused: list[tuple[Folder, str]] = field(default_factory=list)
    hollow: list[Folder] = field(default_factory=list)
    drawn: bool = False

    @property
    def tested(self) -> Part | None:
        """The part to test on: the validation part if there is no other and none is drawn."""
        return self.test or (None if self.drawn else self.validation)

    @property
    def beside(self) -> Part | None:
        """The validation part, unless it is the one to test on."""
        return self.validation if self.test or self.drawn else None


def find_parts(root: Folder, *, skip_empty: bool = False) -> Found:
    """Return the parts and class folders of a tree.

    Parameters
    ----------
    root : Folder
        Copies and annotations in it get marked as dropped.
    skip_empty : bool
        Whether folders without images may be skipped.

    Raises
    ------
    DataError
        If there are no classes, or the tree can be read in more than one way.
    """
    finder = _Finder(skip_empty)
    finder.drop_annotations(root)
    finder.unused += drop_copies(root)
    found = finder.read(root)
    found.unused, found.hollow = finder.unused, [*finder.passed.values(), *finder.hollow]
    return found


class _Finder(Evidence):
    def __init__(self, skip_empty: bool) -> None:
        super().__init__(skip_empty)
        self.unused: list[tuple[Folder, str]] = []
        self.hollow: list[Folder] = []

    def drop(self, folder: Folder, reason: str) -> None:
        if folder.has_images():
            self.unused.append((folder, reason))

    def drop_annotations(self, root: Folder) -> None:
        """Drop masks and other annotations beside the images they belong to."""
        for folder in [*root.all_folders()]:
            holders = folder.holders()
            masks = [f for f in holders if is_annotation(f.name)]
            images = [f for f in holders if f not in masks and names_images(f)]
            if masks and images:
                for mask in masks:
                    self.drop(mask.copy(), "it holds annotations, by its name")
                    mask.dropped = True

    def read(self, root: Folder) -> Found:
        """Return the parts below a folder."""
        level = self.look(root)
        holders = level.holders()
        self.hollow = [f for f in self.empty_parts(level) if part_of(f) != "train"]
        roles = {f: role for f in holders if (role := role_of(f.name)) is not None}
        plain = [f for f in holders if f not in roles]
        if plain and len(holders) > 1 and all(folders_of_parts(f) for f in holders):
            return self.parts_of_classes(level)
        sets = [f for f in plain if self.is_split(self.look(f))]
        if sets:
            return self.only_set(level, sets)
        if (roles or self.empty_parts(level)) and self.are_parts(level, [*roles], plain):
            return self.split(level)
        self.require_one_reading(level, holders)
        return Found(Part("", {f.name: f for f in holders}, self.empty_classes(level)))

    def split(self, level: Folder) -> Found:
        """Return the parts that are side by side in a folder."""
        by_part: dict[str, list[Folder]] = {}
        plain = []
        for folder in level.holders():
            role = role_of(folder.name)
            by_part.setdefault(role.part, []).append(folder) if role else plain.append(folder)
        candidates = [f for f in by_part.get("train", []) if self.class_folders(f)]
        if candidates:
            chosen = self.one(candidates, level)
            train = self.train_part(chosen)
            aside = [f for f in (*by_part["train"], *plain) if f is not chosen]
        else:
            train, aside = self.train_beside(level, by_part, plain)
        for folder in aside:
            self.drop(
                folder, "its name is not that of a part" if folder in plain else "no class folders"
            )
        known = frozenset(loosely(name) for name in train.classes)
        parts: dict[str, Part | None] = {}
        for name in ("test", "validation"):
            some = []
            for folder in by_part.get(name, []):
                if self.class_folders(folder, known):
                    some.append(folder)
                else:
                    self.drop(folder, "no class folders")
            if name == "validation" and parts["test"] is not None:
                for folder in some[1:]:
                    self.drop(folder, "there is a test folder")
                some = some[:1]
            parts[name] = self.part(self.one(some, level), known) if some else None
        for folder in by_part.get("unlabelled", []):
            self.drop(folder, "its images are unlabelled, by its name")
        return Found(train, parts["validation"], parts["test"])

    def train_beside(
        self, level: Folder, by_part: dict[str, list[Folder]], plain: list[Folder]
    ) -> tuple[Part, list[Folder]]:
        """Return the training part if no folder is called so, and the remaining folders."""
        tests = by_part.get("test", []) + by_part.get("validation", [])
        wanted = {loosely(c.name) for f in tests for c in self.class_folders(f)}
        deep = [f for f in plain if wanted & {loosely(c.name) for c in self.class_folders(f)}]
        others = [f for f in plain if f not in deep] + by_part.get("train", [])
        if self.empty_trains(level):
            raise refused(
                f"{self.empty_trains(level)[0].path}/ holds no images", level, "Add the images."
            )
        if len(deep) == 1:
            return self.part(deep[0]), others
        if wanted and wanted <= {loosely(f.name) for f in plain}:
            beside = "/, ".join(f.path for f in plain[:3]) + ", ..." * (len(plain) > 3)
            part = Part(beside, {f.name: f for f in plain}, self.empty_classes(level))
            return part, by_part.get("train", [])
        if any(self.class_folders(f) for f in tests):
            if len(level.holders()) == 1 and self.empty_parts(level):
                return self.part(tests[0]), others
            raise refused("there is no training folder", level, "Call it train/.")
        raise no_classes(level)

    def one(self, folders: Sequence[Folder], level: Folder) -> Folder:
        if len(folders) > 1:
            names = " and ".join(f"{f.path}/" for f in folders)
            raise refused(
                f"{names} hold different images for one part",
                level,
                "Merge them into one folder, or move away what should not be used.",
            )
        return folders[0]

    def part(self, folder: Folder, known: frozenset[str] = frozenset()) -> Part:
        inner = self.look(folder, known)
        return Part(inner.path, {f.name: f for f in inner.holders()}, self.empty_classes(inner))

    def train_part(self, folder: Folder) -> Part:
        inner = self.look(folder)
        holders = inner.holders()
        parts = {role.part if (role := role_of(f.name)) and role.exact else "" for f in holders}
        if self.is_split(inner) or (len(parts) > 1 and "" not in parts):
            raise refused(f"{inner.path}/ itself holds parts", inner)
        self.require_one_reading(inner, holders)
        return self.part(folder)

    def parts_of_classes(self, level: Folder) -> Found:
        """Return the parts if each class folder has its own, as in cat/train/ and cat/test/."""
        by_part: dict[str, dict[str, Folder]] = {}
        classes = {f.name: through(f) for f in level.holders()}
        for name, folder in classes.items():
            for inner in folder.holders():
                role = role_of(inner.name)
                assert role is not None
                same = by_part.setdefault(role.part, {})
                if name in same:
                    raise refused(f"{folder.path}/ has two folders for one part", folder)
                same[name] = inner
        empty = self.empty_classes(level)
        parts = {}
        for name, same in by_part.items():
            own = [
                f
                for folder in classes.values()
                for f in folder.without_images()
                if part_of(f) == name
            ]
            some = next(iter(same.values())).path.rpartition("/")[2]
            above = f"{level.path}/" if level.path else ""
            parts[name] = Part(f"{above}*/{some}", same, own + empty * (name == "train"))
        for folder in by_part.get("unlabelled", {}).values():
            self.drop(folder, "its images are unlabelled, by its name")
        if "train" not in parts:
            raise refused("the class folders hold no training folders", level, "Call them train/.")
        return Found(parts["train"], parts.get("validation"), parts.get("test"))

    def only_set(self, level: Folder, sets: list[Folder]) -> Found:
        """Return the parts of the only folder that holds parts; the others are dropped."""
        others = [f for f in level.holders() if f not in sets]
        if len(sets) > 1 or any(
            role_of(f.name) is None and len(self.class_folders(f)) > 1 for f in others
        ):
            raise refused("there is more than one data set", level)
        for folder in others:
            self.drop(folder, "it is beside the folder with the parts")
        return self.read(sets[0])
