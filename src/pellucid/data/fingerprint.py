"""A fingerprint of a data set, by which a training recognises its images after an interruption."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..names import listed
from ..shapes import shape_text
from .division import numbered

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["Fingerprint", "fingerprint", "set_code"]

BLOCK = 1000  # images hashed at a time: they may be on disk


class Fingerprint(NamedTuple):
    """What identifies a data set: two with the same fingerprint train a model to the same bits.

    Attributes
    ----------
    images : int
    shape : list of int
        Channels, height, width.
    classes : list of str
    labels : str
        SHA-256 of the labels.
    contents : str
        SHA-256 of the files' names and contents in order, where the files are known, otherwise of
        the images.
    """

    images: int
    shape: list[int]
    classes: list[str]
    labels: str
    contents: str

    def difference(self, now: Fingerprint) -> str:
        """Return what is different in ``now``, as the end of a sentence; empty if nothing is.

        Examples
        --------
        >>> then = Fingerprint(3, [1, 8, 8], ["cat", "dog"], "ab", "cd")
        >>> then.difference(then._replace(images=4))
        'has 4 images, not 3'
        """
        if self.shape != now.shape:
            return f"has images {shape_text(now.shape)}, not {shape_text(self.shape)}"
        if self.classes != now.classes:
            return f"has the classes {listed(now.classes)}, not {listed(self.classes)}"
        if self.images != now.images:
            return f"has {now.images:,} images, not {self.images:,}"
        if self.contents != now.contents:
            return f"has {self.images:,} images too, but not the same ones in the same order"
        return "" if self.labels == now.labels else "has the same images with other labels"


def fingerprint(dataset: Dataset) -> Fingerprint:
    """Return the fingerprint of ``dataset``.

    Examples
    --------
    >>> from pellucid import data
    >>> train, _ = data.digits()
    >>> fingerprint(train).contents == fingerprint(train[:]).contents
    True
    >>> fingerprint(train).difference(fingerprint(train[1:]))
    'has 1,437 images, not 1,438'
    """
    digest = hashlib.sha256(f"{dataset.images.dtype} {float(dataset.peak)!r}\n".encode())
    if dataset.files is not None:
        for file in dataset.files:
            digest.update(f"{file.path}\0{file.sha256}\n".encode(errors="surrogateescape"))
    else:
        for first in range(0, len(dataset), BLOCK):
            digest.update(np.ascontiguousarray(dataset.images[first : first + BLOCK]).data)
    labels = np.ascontiguousarray(dataset.labels, dtype="<i8")
    return Fingerprint(
        images=len(dataset),
        shape=list(dataset.image_shape),
        classes=list(dataset.classes),
        labels=hashlib.sha256(labels.data).hexdigest(),
        contents=digest.hexdigest(),
    )


def set_code(dataset: Dataset) -> str:
    """Return twelve hexadecimal digits that stand for the images and their classes.

    They depend neither on the order of the images, nor on the names and the sizes that files were
    read with: accuracies on images with the same code can be compared.

    Examples
    --------
    >>> from pellucid import data
    >>> _, test = data.digits()
    >>> set_code(test) == set_code(test[::-1]), set_code(test) == set_code(test[1:])
    (True, False)
    """
    files = dataset.files or numbered(dataset).files
    assert files is not None
    names = [dataset.classes[label] for label in dataset.labels]
    lines = sorted(f"{file.sha256} {name}" for file, name in zip(files, names, strict=True))
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:12]
