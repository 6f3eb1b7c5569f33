"""Judge by names and contents whether the folders of a tree are parts or classes."""

from __future__ import annotations

from collections import Counter

from ..errors import DataError
from .folder_tree import Folder
from .roles import is_annotation, is_batch, is_date, is_generic, loosely, role_of

__all__ = [
    "NO_CLASS",
    "Evidence",
    "folders_of_parts",
    "names_images",
    "no_classes",
    "part_of",
    "refused",
    "through",
]

NO_CLASS = "no class was found"

# Names that no class has.
VAGUE = ("images", "imgs", "data", "dataset", "datasets", "이미지", "데이터")


class Evidence:
    """Judges the folders of a tree.

    Parameters
    ----------
    skip_empty : bool
        Whether folders without images may be skipped.
    """

    def __init__(self, skip_empty: bool) -> None:
        self.skip_empty = skip_empty
        self.passed: dict[str, Folder] = {}  # folders without images that were skipped

    def look(self, folder: Folder, stop: frozenset[str] = frozenset()) -> Folder:
        """Return the folder reached by descending while everything is in a single subfolder."""
        while len(holders := folder.holders()) == 1:
            only = holders[0]
            inner = only.holders()
            few = 2 * sum(1 for _ in folder.images) < folder.count
            if not inner or not few or loosely(only.name) in stop:
                break
            if only.images and (len(inner) < 2 or 2 * len(only.images) >= only.count):
                break
            beside = [f for f in folder.without_images() if self.may_be_class(f, only)]
            if beside and not self.is_split(only):
                sorted_by_date = all(is_date(f.name) or is_batch(f.name) for f in inner)
                if not self.skip_empty or sorted_by_date:
                    break
                self.passed |= {f.path: f for f in beside}
            folder = only
        return folder

    def may_be_class(self, empty: Folder, only: Folder) -> bool:
        """Return whether a folder without images may be a class beside the only other folder."""
        if role_of(empty.name) is not None and role_of(only.name) is not None:
            return True  # perhaps train/ beside test/: must not be skipped
        known = is_annotation(empty.name) or is_generic(only.name) or loosely(only.name) in (
            loosely(empty.name), loosely(only.path.rpartition("/")[0].rpartition("/")[2])
        )  # fmt: skip
        return not (known or (role_of(only.name) is not None and [*empty.all_others()]))

    def is_split(self, level: Folder) -> bool:
        """Return whether a folder clearly holds parts: one to train on, with classes in it."""
        roles = {f: role for f in level.holders() if (role := role_of(f.name)) is not None}
        for folder, role in roles.items():
            if role.part != "train" or not (own := self.class_folders(folder)):
                continue
            names = {f.name for f in own if not is_date(f.name)}
            for other, that in roles.items():
                if that.part != "train" and (
                    that.rest == role.rest or names & {f.name for f in self.class_folders(other)}
                ):
                    return True
        return False

    def class_folders(self, part: Folder, known: frozenset[str] = frozenset()) -> list[Folder]:
        """Return the folders in a part that may be classes; none if it holds only images."""
        inner = self.look(part, known).holders()
        if len(inner) != 1 or loosely(only := inner[0].name) in known:
            return inner
        flat = names_images(inner[0]) or role_of(only) or loosely(only) == loosely(part.name)
        return [] if flat else inner

    def empty_parts(self, level: Folder) -> list[Folder]:
        """Return folders that are parts by their names, but hold no images."""
        return [f for f in level.without_images() if (r := role_of(f.name)) and r.exact]

    def empty_classes(self, level: Folder) -> list[Folder]:
        """Return folders that may be classes, but hold no images."""
        parts = [f for f in self.empty_parts(level) if f not in self.empty_trains(level)]
        aside = ("annotations", "annotation", "labels", "metadata", "meta")
        return [f for f in level.without_images() if f not in parts and f.name.lower() not in aside]

    def empty_trains(self, level: Folder) -> list[Folder]:
        """Return folders that are training parts by their names, but hold no images."""
        return [f for f in self.empty_parts(level) if part_of(f) == "train"]

    def are_parts(self, level: Folder, named: list[Folder], plain: list[Folder]) -> bool:
        """Return whether folders named like parts are parts, given the others beside them.

        Raises
        ------
        DataError
            If that is ambiguous.
        """
        if not plain and (self.is_split(level) or len(named) == 1):
            return True
        roles = [role for f in named if (role := role_of(f.name)) is not None]
        if not plain and any(role.exact for role in roles):
            return True
        if not plain:  # such as seg_train and seg_test, or bullet_train and crash_test
            return any(a.rest == b.rest and a.part != b.part for a in roles for b in roles)
        exact = [f for f in named if (r := role_of(f.name)) and r.exact]
        strong = [f for f in exact if (r := role_of(f.name)) and not r.weak]
        unlabelled = [
            f for f in named if (r := role_of(f.name)) and r.part == "unlabelled" and not r.weak
        ]
        parts = {part_of(f) for f in exact}
        inside = {f: {loosely(c.name) for c in self.class_folders(f)} for f in (*named, *plain)}
        deep = [f for f in named if inside[f]]
        trains = [f for f in deep if part_of(f) == "train"]
        shared = [f for f in plain if any(inside[f] & inside[d] for d in deep)]
        if unlabelled and not deep:
            raise _either_way(unlabelled[0], level)
        if not exact:  # such as bullet_train, or rps-test-set beside rps
            alike = {part_of(f) for f in named}
            return bool(trains and len(alike) > 1) or bool(
                not trains and len(shared) == 1 and len(inside[shared[0]]) > 1
            )
        if not deep:
            if len(parts) > 1:
                raise no_classes(level)
            flat = [f for f in strong if f.name.lower() != "train"]  # which is a vehicle, too
            if flat or (strong and len(plain) == 1 and len(inside[plain[0]]) > 1):
                raise _either_way((flat or strong)[0], level)
            return False
        if trains and (len(parts) > 1 or len({part_of(f) for f in named}) > 1):
            return True
        if not trains:
            beside = {loosely(f.name) for f in plain if not inside[f]}
            if len(shared) == 1 or all(inside[f] <= beside for f in deep):
                return True
            raise _either_way(deep[0], level)
        if len(plain) > 1 and all(inside[f] for f in plain) and not shared:
            return False
        raise _either_way(trains[0], level)

    def require_one_reading(self, level: Folder, holders: list[Folder]) -> None:
        """Refuse several variants of one set, and class folders of which only some have parts."""
        if len(holders) > 1 and all(is_batch(f.name) for f in holders):
            raise refused(
                f"{holders[0].path}/ and {holders[1].path}/ are portions of a set by their names, "
                "not classes",
                level,
                "Put the images of all portions into one folder for each class.",
            )
        vague = [f for f in holders if f.name.lower() in VAGUE]
        if vague and len(holders) > 2:
            raise _either_way(vague[0], level)
        some = [f for f in holders if folders_of_parts(f) and len(through(f).holders()) > 1]
        if some and len(holders) > 1:
            raise refused(
                f"{some[0].path}/ holds folders for parts, but other folders beside it do not",
                level,
                "Give each class folder the same parts, or none.",
            )
        inside = {
            f: {c.name for c in self.look(f).holders() if not (is_date(c.name) or is_batch(c.name))}
            for f in holders
        }
        times = Counter(name for names in inside.values() for name in names)
        half = max(2, (len(holders) + 1) // 2)
        common = {name for name, n in times.items() if n >= half}
        alike = [
            f
            for f, names in inside.items()
            if len(names & common) > 1 and 2 * len(names & common) >= len(names)
        ]
        if len(alike) > 1 and 2 * len(alike) >= len(holders):
            shared = sorted(inside[alike[0]] & common)[:2]
            raise refused(
                f"{', '.join(f.path + '/' for f in alike[:3])}{', ...' * (len(alike) > 3)} hold "
                f"folders with the same names ({', '.join(shared)}, ...), and either may be the "
                "classes",
                level,
                "If the upper ones are, move the images out of the inner folders; if they are "
                "variants or portions of a set, give only one of them.",
            )


def part_of(folder: Folder) -> str | None:
    """Return the part that a folder's name stands for, if any."""
    role = role_of(folder.name)
    return role.part if role else None


def names_images(folder: Folder) -> bool:
    """Return whether a folder's name says only that it holds images, or of which part."""
    role = role_of(folder.name)
    return is_generic(folder.name) or bool(role and role.exact) or folder.name.lower() == "unknown"


def through(folder: Folder) -> Folder:
    """Descend from a class folder while its only subfolder has a name such as ``images``."""
    while not folder.images and len(inner := folder.holders()) == 1 and is_generic(inner[0].name):
        folder = inner[0]
    return folder


def folders_of_parts(folder: Folder) -> bool:
    """Return whether a folder holds only folders for parts, with images directly inside."""
    folder = through(folder)
    inner = folder.holders()
    roles = [role_of(f.name) for f in inner]
    return bool(inner) and all(
        role and role.exact and not any(not names_images(c) for c in f.holders())
        for role, f in zip(roles, inner, strict=True)
    ) and not folder.images  # fmt: skip


def _either_way(folder: Folder, level: Folder) -> DataError:
    return refused(
        f"{folder.path}/ may be a part of the data set or a class",
        level,
        "If it is a class, rename it; if not, move it, or what is beside it, away.",
    )


def no_classes(level: Folder) -> DataError:
    """Return the error for parts without class folders."""
    return refused(
        f"{NO_CLASS}: the folders for parts hold no class folders",
        level,
        "Make a folder for each class inside them.",
    )


def refused(what: str, level: Folder, advice: str = "") -> DataError:
    """Return the error that lists what a folder holds, and says what to do."""
    holders = level.holders()
    shown = "; ".join(f.described() for f in holders[:5]) + "; ..." * (len(holders) > 5)
    return DataError(
        f"{what}. Found: {shown or 'nothing'}. Expected is one folder per class, perhaps "
        f"inside train/ and test/. {advice or 'Give one of these folders itself.'}"
    )
