"""Report images that occur more than once in a data set, where that distorts the accuracy."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..typing import Array
from .dataset import Dataset, ImageFile
from .division import Parts
from .stored_images import on_disk

__all__ = ["note_duplicates"]

NAMES = {"train": "training", "validation": "validation", "test": "test"}
# Two parts that should share no image, and what it does if they do.
HARM = {
    ("test", "train"): "which makes the test accuracy too high",
    ("validation", "train"): "which makes the validation accuracy too high",
    ("test", "validation"): "so that the test set has a part in what is chosen",
}


class _Image(NamedTuple):
    role: str
    path: str
    label: int


def note_duplicates(parts: Parts) -> list[str]:
    """Return a sentence for each two parts that share images, and on images in two classes.

    Images are compared by the bytes of their files, and by their pixels as a network gets them,
    since one picture may be saved in two formats. Copies within a class and a part are harmless.
    """
    copies, alike = _groups(_files(parts)), _groups(_pixels(parts))
    notes: list[str] = []
    for (role, other), harm in HARM.items():
        name, that = NAMES[role], NAMES[other]
        same = _shared(copies, role, other)
        look = _without(_shared(alike, role, other), same)
        notes += _note(
            same,
            f"{name} image is a copy of a {that} image, {harm}",
            f"{name} images are copies of {that} images, {harm}",
        )
        notes += _note(
            look,
            f"{name} image has the same pixels as a {that} image, {harm}",
            f"{name} images have the same pixels as {that} images, {harm}",
        )
    same = _in_two_classes(copies)
    look = _without(_in_two_classes(alike), same)
    harm = "which no network can tell apart"
    notes += _note(
        same,
        f"image lies in more than one class, {harm}",
        f"images lie in more than one class, {harm}",
    )
    notes += _note(
        look,
        f"image has the same pixels as one in another class, {harm}",
        f"images have the same pixels as one in another class, {harm}",
    )
    return notes


def _files(parts: Parts) -> Iterable[tuple[str | bytes, _Image]]:
    """Yield the images with the SHA-256 of their files."""
    for role, part in zip(Parts._fields, parts, strict=True):
        for file, label in _labelled(part):
            yield file.sha256, _Image(role, file.path, label)


def _pixels(parts: Parts) -> Iterable[tuple[str | bytes, _Image]]:
    """Yield the images that may look like others, with a hash of their pixels.

    Images on disk have a CRC-32 since they were decoded: only those are read that share it.
    """
    some = [
        (role, part, _checks(part))
        for role, part in zip(Parts._fields, parts, strict=True)
        if part is not None and part.files is not None
    ]
    if not some:
        return
    values, counts = np.unique(np.concatenate([checks for *_, checks in some]), return_counts=True)
    shared = values[counts > 1]
    for role, part, checks in some:
        for k in np.flatnonzero(np.isin(checks, shared)).tolist():
            pixels = np.ascontiguousarray(part.images[k])
            digest = hashlib.blake2b(pixels.data, digest_size=16).digest()
            assert part.files is not None
            yield digest, _Image(role, part.files[k].path, int(part.labels[k]))


def _checks(part: Dataset) -> Array:
    """Return the CRC-32 of the pixels of each image, uint32 (N,)."""
    images = part.images
    if on_disk(images):
        return images.store.checks[images.rows]
    found = (zlib.crc32(np.ascontiguousarray(image).data) for image in images)
    return np.fromiter(found, np.uint32, len(images))


def _labelled(part: Dataset | None) -> Iterable[tuple[ImageFile, int]]:
    if part is None or part.files is None:
        return ()
    return zip(part.files, part.labels.tolist(), strict=True)


def _groups(keyed: Iterable[tuple[str | bytes, _Image]]) -> list[list[_Image]]:
    """Return the images that have the same key."""
    known: dict[str | bytes, list[_Image]] = {}
    for key, image in keyed:
        known.setdefault(key, []).append(image)
    return [images for images in known.values() if len(images) > 1]


def _shared(groups: list[list[_Image]], role: str, other: str) -> list[tuple[str, str]]:
    """Return, for each image of a part that the other has as well, the paths there and here."""
    pairs = []
    for images in groups:
        there = next((image.path for image in images if image.role == other), None)
        if there is not None:
            pairs += [(there, image.path) for image in images if image.role == role]
    return pairs


def _in_two_classes(groups: list[list[_Image]]) -> list[tuple[str, str]]:
    """Return the paths of the first image, and of the first in another class."""
    return [
        (images[0].path, next(i.path for i in images if i.label != images[0].label))
        for images in groups
        if len({image.label for image in images}) > 1
    ]


def _without(pairs: list[tuple[str, str]], told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    known = {path for _, path in told}
    return [pair for pair in pairs if pair[1] not in known]


def _note(pairs: Sequence[tuple[str, str]], one: str, many: str) -> list[str]:
    if not pairs:
        return []
    few = ", ".join(f"{a} = {b}" for a, b in pairs[:3]) + ", ..." * (len(pairs) > 3)
    return [f"1 {one}: {few}" if len(pairs) == 1 else f"{len(pairs):,} {many}: {few}"]
