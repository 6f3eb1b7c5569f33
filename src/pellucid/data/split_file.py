"""Record which files a run trained on and which it was tested on."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import DataError, DataNotFoundError, FileFormatError
from ..preparation import HeldOut
from ..typing import Array, PathLike
from .dataset import Dataset, ImageFile
from .split import held_out_images, test_files_sha256

__all__ = ["Split"]

COLUMNS = ["file", "role", "sha256"]
ROLES = ("train", "test")


@dataclass(frozen=True)
class Split:
    """The role of every file of a data set, which a run keeps as ``split.csv``.

    Attributes
    ----------
    roles : mapping of ImageFile to str
        ``"train"`` or ``"test"``.

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
    def of(cls, train: Dataset, test: Dataset) -> Split | None:
        """Return the split into these two parts; None if their files are not known."""
        if train.files is None or test.files is None:
            return None
        return cls({file: part.split for part in (train, test) for file in part.files or ()})

    def save(self, path: PathLike) -> None:
        """Write a CSV file with the columns file, role and sha256, sorted by file."""
        from ..formats.files import atomic_write  # here, as most programs only read

        with (
            atomic_write(path) as part,
            part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
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
                roles: dict[ImageFile, str] = {}
                for number, image, role in _rows(file, path):
                    if roles.setdefault(image, role) != role:
                        raise FileFormatError(
                            f"line {number} of '{path}' calls '{image.path}' a {role} image, but a "
                            f"line above calls it a {roles[image]} image. Remove one of them."
                        )
                return cls(roles)
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no file '{path}'.") from error
        except (OSError, ValueError, csv.Error) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"'{path}' cannot be read as CSV ({error}).") from error

    def apply(
        self, dataset: Dataset, first: int, new: Literal["leave", "draw"], share: float, seed: int
    ) -> tuple[Dataset, Dataset, list[str]] | None:
        """Split ``dataset`` as its images were split before.

        An image is recognised by its file's contents, even if the file was renamed.

        Parameters
        ----------
        dataset : Dataset
            Both parts, as the folder holds them now.
        first : int
            The number of images in the training part; all if the folder has no test part.
        new : {"leave", "draw"}
            Whether new images are left out, or join the part they are in; if there is only one
            part, a share of them is drawn for the test.
        share, seed
            Of that draw, as in `held_out_images`.

        Returns
        -------
        train, test : Dataset
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
        unknown = np.flatnonzero(found == "")
        changed = [k for k in unknown if dataset.files[k].path in paths]
        added = [k for k in unknown if dataset.files[k].path not in paths]
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
        notes += filter(None, [self._relabelled(dataset, np.flatnonzero(found != ""))])
        if new == "draw" and unknown.size:
            found[unknown] = "train"
            if first < len(dataset):
                found[unknown[unknown >= first]] = "test"
            else:
                found[unknown[_drawn(dataset.subset(unknown), share, seed)]] = "test"
        parts = []
        for role in ROLES:
            chosen = np.flatnonzero(found == role)
            if not chosen.size:
                raise DataError(
                    f"none of the {role} images of that training is left.",
                    where=f"'{dataset.name}'",
                )
            parts.append(replace(dataset.subset(chosen), split=role))
        drawn = HeldOut(share, seed, test_files_sha256(parts[1]))
        train, test = (replace(part, held_out=drawn) for part in parts)
        return train, test, notes

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
        known = {sha256: "train" if "train" in had else "test" for sha256, had in free.items()}
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
        return np.array(found, dtype="<U5")


def _drawn(dataset: Dataset, share: float, seed: int) -> Array:
    """Return the indices drawn for the test: a share of each class with two or more images."""
    numbered = replace(
        dataset, files=tuple(ImageFile(str(k), "") for k in range(len(dataset))), held_out=None
    )
    try:
        _, test = held_out_images(numbered, share, seed=seed)
    except DataError:  # one image per class
        return np.zeros(0, dtype=np.intp)
    return np.array([int(file.path) for file in test.files or ()], dtype=np.intp)


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
                f"line {number} of '{path}' must be a file, its role ({' or '.join(ROLES)}) and "
                f"its SHA-256; it is {','.join(row)[:80]!r}."
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
