"""Record which files a run trained on, was chosen by, and was tested on."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import numpy as np

from ..errors import DataError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .dataset import Dataset, ImageFile
from .division import ROLES, draw, require_share

__all__ = ["Split"]

COLUMNS = ["file", "role", "sha256"]


@dataclass(frozen=True)
class Split:
    """The role of every file of a data set, which a run keeps as ``split.csv``.

    Attributes
    ----------
    roles : mapping of ImageFile to str
        ``"train"``, ``"validation"`` or ``"test"``.

    Examples
    --------
    >>> import tempfile
    >>> split = Split({ImageFile("cat/1.png", "ab"): "train", ImageFile("cat/2.png", "cd"): "test"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     split.save(f"{folder}/split.csv")
    ...     print(Path(folder, "split.csv").read_text(), Split.load(f"{folder}/split.csv") == split)
    file,role,sha256
    cat/1.png,train,ab
    cat/2.png,test,cd
     True
    """

    roles: Mapping[ImageFile, str]

    @classmethod
    def of(cls, *parts: Dataset | None) -> Split | None:
        """Return the split into these parts; None if their files are not known."""
        some = [part for part in parts if part is not None]
        if any(part.files is None for part in some):
            return None
        return cls({file: part.split for part in some for file in part.files or ()})

    def has(self, role: str) -> bool:
        """Return whether there are images of a role."""
        return role in self.roles.values()

    def save(self, path: PathLike) -> None:
        """Write a CSV file with the columns file, role and sha256, sorted by file."""
        from ..formats.files import atomic_write  # here, as most programs only read

        with (
            atomic_write(path) as part,
            part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            self.write(file)

    def write(self, file: TextIO) -> None:
        """Write what `save` writes to an open file."""
        odd = any("\r" in f.path for f in self.roles)  # which Python's csv does not quote
        writer = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        )
        writer.writerow(COLUMNS)
        writer.writerows((f.path, role, f.sha256) for f, role in sorted(self.roles.items()))

    @classmethod
    def load(cls, path: PathLike) -> Split:
        """Read a file that `save` wrote, or a spreadsheet wrote again.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file; if it is not such a file.
        """
        try:
            with Path(path).open(
                newline="", encoding="utf-8-sig", errors="surrogateescape"
            ) as file:
                return cls.read(file, path)
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no file '{path}'.") from error
        except (OSError, ValueError, csv.Error) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"'{path}' cannot be read as CSV ({error}).") from error

    @classmethod
    def read(cls, file: Iterator[str], path: PathLike) -> Split:
        """Read the lines that `write` wrote; ``path`` is what errors call them."""
        roles: dict[ImageFile, str] = {}
        for number, image, role in _rows(file, path):
            if roles.setdefault(image, role) != role:
                raise FileFormatError(
                    f"line {number} of '{path}' calls '{image.path}' a {role} image, but a "
                    f"line above calls it a {roles[image]} image. Remove one of them."
                )
        return cls(roles)

    def apply(
        self,
        dataset: Dataset,
        own: Array,
        new: Literal["leave", "draw"] = "leave",
        share: float = 0.2,
        validation: float | None = None,
        seed: int = 0,
    ) -> tuple[Array, list[str]] | None:
        """Return the role of each image of ``dataset`` in the earlier training.

        An image is recognised by its file's contents, even if the file was renamed.

        Parameters
        ----------
        dataset : Dataset
            All parts, as the folder holds them now.
        own : array of str (N,)
            The role of each image by its folder, as `own_roles` returns them.
        new : {"leave", "draw"}
            Whether new images are left out, or join the part they are in; from a single part a
            share of them is drawn for the test and, if there is one, the validation set.
        share, validation, seed
            Of these draws, as in `divided`. If the earlier training had no validation set, a
            ``validation`` is drawn from all its training images.

        Returns
        -------
        roles : array of str (N,)
            ``""`` for an image that is left out.
        notes : list of str
            Which images are new, and which are gone.
        None
            If none of the images was there: this is another data set.

        Raises
        ------
        DataError
            If a part has no images left.
        """
        assert dataset.files is not None
        found = self._roles_of(dataset.files, copies=new == "draw")
        if not found.any():
            return None
        paths = {file.path for file in self.roles}
        unknown = found == ""
        changed = [k for k in np.flatnonzero(unknown) if dataset.files[k].path in paths]
        added = [k for k in np.flatnonzero(unknown) if dataset.files[k].path not in paths]
        here = {file.sha256 for file in dataset.files} | {dataset.files[k].path for k in changed}
        gone = [f.path for f in self.roles if f.sha256 not in here and f.path not in here]
        notes = [
            note
            for paths_of, text in (
                ([dataset.files[k].path for k in added], "not there when the model was trained"),
                ([dataset.files[k].path for k in changed], "changed since the model was trained"),
            )
            if (note := _counted(paths_of, text, "left out" if new == "leave" else "new"))
        ]
        notes += filter(None, [_counted(gone, "there when the model was trained", "gone")])
        notes += filter(None, [self._relabelled(dataset, np.flatnonzero(~unknown))])
        if new == "draw":
            notes += self._draw(dataset, found, unknown, own, share, validation, seed)
        for role in ROLES:
            if role not in found and (self.has(role) or role != "validation"):
                raise DataError(
                    f"none of the {role} images of that training is left.",
                    where=f"'{dataset.name}'",
                )
        return found, notes

    def _draw(
        self,
        dataset: Dataset,
        roles: Array,
        unknown: Array,
        own: Array,
        share: float,
        validation: float | None,
        seed: int,
    ) -> list[str]:
        """Give the unknown images roles, and draw a validation set if one is new; return notes."""
        roles[unknown] = own[unknown]
        if "test" not in own:
            roles[draw(dataset.labels, unknown, share, seed)] = "test"
        if "validation" in own or not (self.has("validation") or validation is not None):
            return []
        if self.has("validation"):  # as large a share of the new images as it was of the others
            had = list(self.roles.values())
            size, rest = had.count("validation"), had.count("train")
            candidates = unknown & (roles == "train")
            roles[draw(dataset.labels, candidates, size / (size + rest), seed)] = "validation"
            return []
        assert validation is not None
        require_share(validation, "validation")
        roles[draw(dataset.labels, roles == "train", validation, seed)] = "validation"
        known = int(((roles == "validation") & ~unknown).sum())
        return [
            f"{known:,} of the validation images were training images of the earlier training, "
            "which knows them: the validation accuracy is too high at first"
        ] * (known > 0)

    def _relabelled(self, dataset: Dataset, known: Array) -> str:
        """Return a sentence on images that were in another class's folder; empty if none."""
        assert dataset.files is not None
        classes = {_composed(name) for name in dataset.classes}
        before: dict[str, list[str]] = {}
        for file in self.roles:
            before.setdefault(file.sha256, []).append(file.path)
        moved = []
        for k in known:
            file, now = dataset.files[k], _composed(dataset.classes[dataset.labels[k]])
            if file in self.roles:
                continue
            then = {
                path: classes & set(_composed(path).split("/")[:-1]) for path in before[file.sha256]
            }
            if all(then.values()) and not any(now in names for names in then.values()):
                moved.append(f"{next(iter(then))} is {file.path} now")
        return _counted(
            moved, "in another class when the model was trained", "counted in the new one"
        )

    def _roles_of(self, files: tuple[ImageFile, ...], *, copies: bool) -> Array:
        """Return the role of each file, ``""`` if it is new.

        A file that was moved is recognised by its contents. With ``copies``, a copy of a file that
        is still there gets its role, too; otherwise it is new.
        """
        free: dict[str, list[str]] = {}  # contents to the roles of files that were moved
        for file, role in self.roles.items():
            free.setdefault(file.sha256, []).append(role)
        known = {
            sha256: next(role for role in ROLES if role in had) for sha256, had in free.items()
        }
        found = []
        for file in files:
            role = self.roles.get(file, "")
            if role:
                free[file.sha256].remove(role)
            found.append(role)
        for k, file in enumerate(files):
            if not found[k] and copies:
                found[k] = known.get(file.sha256, "")
            elif not found[k] and free.get(file.sha256):
                found[k] = free[file.sha256].pop()
        return np.array(found, dtype="<U10")


def _rows(file: Iterator[str], path: PathLike) -> Iterator[tuple[int, ImageFile, str]]:
    """Yield each line's number, image and role; the separator may be a semicolon or a tab."""
    first = next(file, "").rstrip("\r\n")
    separator = next((c for c in ",;\t" if first.replace('"', "").split(c) == COLUMNS), None)
    if separator is None:
        raise FileFormatError(
            f"'{path}' must begin with the columns {', '.join(COLUMNS)}; it begins with "
            f"{first[:80]!r}."
        )
    for number, row in enumerate(csv.reader(file, delimiter=separator), 2):
        if not any(row):
            continue
        if len(row) != 3 or row[1] not in ROLES:
            raise FileFormatError(
                f"line {number} of '{path}' must be a file, its role (train, validation "
                f"or test) and its SHA-256; it is {','.join(row)[:80]!r}."
            )
        yield number, ImageFile(row[0], row[2]), row[1]


def _composed(name: str) -> str:
    """Return a name in composed letters (NFC), as class names are."""
    return unicodedata.normalize("NFC", name)


def _counted(paths: list[str], what: str, then: str) -> str:
    if not paths:
        return ""
    few = ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
    one = len(paths) == 1
    return (
        f"{'1 image' if one else f'{len(paths):,} images'} {'was' if one else 'were'} {what} and "
        f"{'is' if one else 'are'} {then}: {few}"
    )
