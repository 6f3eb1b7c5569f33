"""Use only some of the training images, and of a folder read no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..preparation import HeldOut
from ..typing import Array
from .dataset import Dataset, ImageFile
from .division import Division, divided, own_roles
from .layout import Layout

__all__ = ["Limited", "first_images", "limited"]


def first_images(train: Dataset, limit: int | None) -> Dataset:
    """Return ``limit`` images: the first ones, or if sorted by class as many of each class.

    Examples
    --------
    >>> ten = Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), [0] * 6 + [1] * 4)
    >>> first_images(ten, 5).labels
    array([0, 0, 0, 1, 1])
    """
    if limit is None or limit >= len(train):
        return train
    if (train.labels[:-1] > train.labels[1:]).any():
        return train.take(limit)
    places = np.linspace(0, len(train), limit, endpoint=False)
    return train.subset(places.astype(np.int64))


class Limited(NamedTuple):
    """The images of a folder that are used.

    Attributes
    ----------
    layout : Layout
        With these files only.
    key : list
        What distinguishes them from another selection of the same folder.
    roles : array of str, optional
        The role of each image, in the order of the layout's parts; None if a `Split` tells it.
    drawn : HeldOut, optional
        How they were drawn, except for the test files' hash.
    """

    layout: Layout
    key: list[Any]
    roles: Array | None = None
    drawn: HeldOut | None = None


def limited(layout: Layout, name: str, limit: int, how: Division) -> Limited | None:
    """Select the images that a training with ``limit`` training images uses, before any is read.

    They are those that `divided` and `first_images` select of the whole folder; or, to evaluate an
    earlier training, those of its split.

    Parameters
    ----------
    layout : Layout
    name : str
        The name of the data set in errors.
    limit : int
    how : Division
        How the images are divided.

    Returns
    -------
    Limited or None
        None if all of them must be read: if all are used; if new images are added to an earlier
        split, or some of its files are not there by their names.
    """
    lists = (layout.train, layout.test, layout.validation)
    files = layout.files
    if how.split is not None:
        known = {file.path for file in how.split.roles}
        used = np.array([entry.path in known for entry, _ in files])
        if how.new_images == "draw" or used.sum() < len(known) or used.all():
            return None
        return Limited(_only(layout, used), ["split", *sorted(known)])
    labels = np.array([label for _, label in files], dtype=np.int64)
    blank = np.broadcast_to(np.uint8(0), (len(files), 1, 1, 1))
    numbers = tuple(ImageFile(str(k), "") for k in range(len(files)))
    whole = Dataset(blank, labels, layout.classes, name, files=numbers)
    parts = divided(
        whole,
        own_roles(*map(len, lists)),
        held_out=how.held_out,
        validation=how.validation,
        seed=how.seed,
    )
    parts = parts._replace(train=first_images(parts.train, limit))
    roles = np.full(len(files), "", dtype="<U10")
    for part in parts:
        if part is not None:
            roles[[int(file.path) for file in part.files or ()]] = part.split
    key = ["limit", limit, how.held_out, how.validation, how.seed]
    used = roles != ""
    if used.all():
        return None
    return Limited(_only(layout, used), key, roles[used], parts.train.held_out)


def _only(layout: Layout, used: Array) -> Layout:
    """Return a layout of the files that are used, given in the order train, test, validation."""
    n, m = len(layout.train), len(layout.train) + len(layout.test)
    kept = [
        [file for file, use in zip(part, of_part, strict=True) if use]
        for part, of_part in zip(
            (layout.train, layout.test, layout.validation),
            (used[:n], used[n:m], used[m:]),
            strict=True,
        )
    ]
    return replace(layout, train=kept[0], test=kept[1], validation=kept[2])
