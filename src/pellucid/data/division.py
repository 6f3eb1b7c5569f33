"""The training, validation and test set of a training, and how images are divided among them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ..errors import ArgumentError, DataError
from ..preparation import HeldOut
from ..typing import Array
from .dataset import Dataset, ImageFile
from .stored_images import concatenated

if TYPE_CHECKING:
    from .split_file import Split

__all__ = [
    "ROLES",
    "Division",
    "Parts",
    "divided",
    "draw",
    "drawn_share",
    "files_sha256",
    "joined",
    "numbered",
    "own_roles",
    "recorded",
    "require_share",
    "with_roles",
    "with_validation",
]

ROLES = ("train", "validation", "test")


class Parts(NamedTuple):
    """The three sets of a training.

    Attributes
    ----------
    train : Dataset
        What the weights are learned from.
    validation : Dataset or None
        What epochs, settings and weights are chosen by.
    test : Dataset
        What the result is measured on, once.

    Examples
    --------
    >>> from pellucid import data
    >>> train, test = data.digits()
    >>> train, validation = data.held_out_images(train, 0.1, split="validation")
    >>> Parts(train, validation, test).part("validation")
    Dataset('digits', validation: 144 images 1x8x8, 10 classes)
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset

    def part(self, role: str) -> Dataset:
        """Return the set of a role: ``"train"``, ``"validation"`` or ``"test"``.

        Raises
        ------
        ArgumentError
            If there is no validation set.
        """
        found: Dataset | None = {
            "train": self.train, "validation": self.validation, "test": self.test
        }[role]  # fmt: skip
        if found is None:
            raise ArgumentError(
                f"'{self.train.name}' has no validation set in this training: its images are for "
                "training and test. Choose one of these.",
                where="split",
            )
        return found


class Division(NamedTuple):
    """How the images of a folder are divided among the parts, as far as their folders do not say.

    The attributes are arguments of `image_parts`.
    """

    held_out: float
    validation: float | None
    seed: int
    split: Split | None
    new_images: Literal["leave", "draw"]
    limit: int | None = None


def require_share(share: float, where: str) -> None:
    """Refuse anything but a share between 0 and 1.

    Raises
    ------
    ArgumentError
    """
    if not 0 < share < 1:
        raise ArgumentError(f"must be a share between 0 and 1; received {share!r}.", where=where)


def draw(labels: Array, candidates: Array, share: float, seed: int) -> Array:
    """Draw ``share`` of each class; a class of two or more images keeps one and gives one.

    Parameters
    ----------
    labels : integer array (N,)
    candidates : bool array (N,)
        The images that may be drawn.
    share : float
    seed : int

    Returns
    -------
    bool array (N,)
        The images that were drawn; none if no class has two candidates.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero((labels == label) & candidates)
        n = min(max(round(share * len(members)), 1), len(members) - 1)
        chosen[rng.permutation(members)[: max(n, 0)]] = True
    return chosen


def own_roles(train: int, test: int, validation: int = 0) -> Array:
    """Return the role of each image where the parts follow one another in this order."""
    return np.repeat(np.array(["train", "test", "validation"]), [train, test, validation])


def divided(
    whole: Dataset,
    roles: Array,
    *,
    held_out: float = 0.2,
    validation: float | None = None,
    seed: int = 0,
) -> Parts:
    """Divide a data set by the roles that its folders give, and draw what they do not.

    Parameters
    ----------
    whole : Dataset
    roles : array of str (N,)
        As `own_roles` returns them. If none is ``"test"``, test images are drawn from the others.
    held_out : float
        The share of each class that becomes the test set, if it is drawn.
    validation : float, optional
        The share of each class of the remaining training images that becomes the validation set.
    seed : int
        Seed of both draws.

    Raises
    ------
    ArgumentError
        If a share is not between 0 and 1; if a validation set is to be drawn, but is there already.
    DataError
        If no class has enough images.
    """
    roles = roles.copy()
    drawn: dict[str, float] = {}
    if not (roles == "test").any():
        _draw(whole, roles, "test", held_out, seed)
        drawn["share"] = held_out
    if validation is not None:
        require_share(validation, "validation")
        there = int((roles == "validation").sum())
        if there:
            raise ArgumentError(
                f"draws a validation set from the training images, but '{whole.name}' has one, of "
                f"{there:,} image{'s' * (there != 1)}. Leave it out.",
                where="validation",
            )
        _draw(whole, roles, "validation", validation, seed)
        drawn["validation"] = validation
    parts = with_roles(whole, roles)
    return recorded(parts, drawn.get("share", 0.0), drawn.get("validation", 0.0), seed)


def _draw(whole: Dataset, roles: Array, role: str, share: float, seed: int) -> None:
    chosen = draw(whole.labels, roles == "train", share, seed)
    if not chosen.any():
        raise DataError(
            f"no class has two images, so none can be held out as {role} images. Add images.",
            where=whole.name,
        )
    roles[chosen] = role


def with_roles(whole: Dataset, roles: Array) -> Parts:
    """Return the parts of a data set by the role of each image, in its order.

    Images that lie together are not copied. Images of no role (``""``) are left out.
    """
    found: dict[str, Dataset | None] = {}
    for role in ROLES:
        places = np.flatnonzero(roles == role)
        if not places.size:
            found[role] = None
            continue
        first, last = int(places[0]), int(places[-1])
        together = last - first + 1 == places.size
        part = whole[first : last + 1] if together else whole.subset(places)
        found[role] = replace(part, split=role)
    train, test = found["train"], found["test"]
    assert train is not None
    assert test is not None
    return Parts(train, found["validation"], test)


def recorded(parts: Parts, share: float, validation: float, seed: int) -> Parts:
    """Return parts that know how they were drawn, if they were and their files are known."""
    if parts.train.files is None or not (share or validation):
        return parts
    chosen = files_sha256(parts.validation) if validation and parts.validation else ""
    drawn = HeldOut(share, seed, files_sha256(parts.test), validation, chosen)
    return Parts(*(None if part is None else replace(part, held_out=drawn) for part in parts))  # type: ignore[arg-type]


def drawn_share(parts: Parts, own: Array) -> float:
    """Return the share of the images for training that became the validation set, if drawn."""
    if parts.validation is None or "validation" in own:
        return 0.0
    return len(parts.validation) / (len(parts.validation) + len(parts.train))


def files_sha256(part: Dataset) -> str:
    """Return the SHA-256 of the names and contents of the files of ``part``, in order."""
    digest = hashlib.sha256()
    for file in part.files or ():
        digest.update(f"{file.path}\0{file.sha256}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def numbered(part: Dataset) -> Dataset:
    """Return a data set that is not a folder's with a name and a SHA-256 for each image.

    Image 7 of the training set is called ``train/7``; the SHA-256 is that of its pixels.

    Examples
    --------
    >>> two = Dataset.from_arrays(np.zeros((2, 1, 1, 1), np.uint8), [0, 1])
    >>> [file.path for file in numbered(two).files]
    ['train/0', 'train/1']
    """
    files = tuple(
        ImageFile(f"{part.split}/{k}", hashlib.sha256(np.ascontiguousarray(image).data).hexdigest())
        for k, image in enumerate(part.images)
    )
    return replace(part, files=files)


def with_validation(
    train: Dataset,
    test: Dataset,
    validation: float | None,
    seed: int = 0,
    earlier: Mapping[ImageFile, str] | None = None,
) -> Parts:
    """Draw a validation set from the training images of a data set that is not a folder.

    Parameters
    ----------
    train, test : Dataset
    validation : float, optional
        The share of each class; by default there is no validation set.
    seed : int
    earlier : mapping of ImageFile to str, optional
        The role of each image in an earlier training, as `numbered` names them. If it had a
        validation set, they get these roles again; ignored if it was on other images.

    Raises
    ------
    ArgumentError
        If the share is not between 0 and 1.
    DataError
        If no class has two images; if the images are not those of the earlier training.
    """
    chosen_before = earlier is not None and "validation" in earlier.values()
    if validation is None and not chosen_before:
        return Parts(train, None, test)
    numbers = numbered(train)
    assert numbers.files is not None
    roles = np.array([(earlier or {}).get(file, "") for file in numbers.files], dtype="<U10")
    again = chosen_before and bool((roles != "").any())
    if validation is None and not again:
        return Parts(train, None, test)
    train, test = numbers, numbered(test)
    if again:
        if (roles == "").any():
            raise DataError(
                f"{int((roles == '').sum()):,} of the {len(train):,} training images are not those "
                "of that training, so it cannot be known which of them it was chosen by. Give the "
                "files that it read.",
                where=train.name,
            )
        validation = float((roles == "validation").mean())
    elif validation is not None:
        require_share(validation, "validation")
        roles[:] = "train"
        _draw(train, roles, "validation", validation, seed)
    assert validation is not None
    chosen = np.flatnonzero(roles == "validation")
    held = replace(train.subset(chosen), split="validation")
    train = train.subset(np.flatnonzero(roles == "train"))
    return recorded(Parts(train, held, test), 0.0, validation, seed)


def joined(parts: Sequence[Dataset | None]) -> Dataset:
    """Return the images of all parts as one data set."""
    some = [part for part in parts if part is not None]
    return replace(
        some[-1],
        images=concatenated([part.images for part in some]),
        labels=np.concatenate([part.labels for part in some]),
        files=tuple(file for part in some for file in part.files or ()),
        held_out=None,
    )
