"""Report files that occur more than once in a data set, where that distorts the accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .dataset import Dataset, ImageFile

__all__ = ["note_duplicates"]


def note_duplicates(train: Dataset, test: Dataset) -> list[str]:
    """Return a sentence on files that are in both parts, and one on files in two classes.

    Files are compared by their bytes. Copies within a class and a part are harmless.
    """
    known: dict[str, list[tuple[str, int]]] = {}
    for file, label in _labelled(train):
        known.setdefault(file.sha256, []).append((file.path, label))
    in_both = [
        (known[file.sha256][0][0], file.path) for file, _ in _labelled(test) if file.sha256 in known
    ]
    for file, label in _labelled(test):
        known.setdefault(file.sha256, []).append((file.path, label))
    in_two = [
        (places[0][0], next(path for path, label in places if label != places[0][1]))
        for places in known.values()
        if len(places) > 1 and len({label for _, label in places}) > 1
    ]
    notes = []
    if in_both:
        one = len(in_both) == 1
        notes.append(
            f"{'1 test image is a copy' if one else f'{len(in_both):,} test images are copies'} of "
            f"{'a training image' if one else 'training images'}, which makes the test accuracy "
            f"too high: {_some(in_both)}"
        )
    if in_two:
        notes.append(
            f"{'1 image lies' if len(in_two) == 1 else f'{len(in_two):,} images lie'} in more than "
            f"one class, which no network can tell apart: {_some(in_two)}"
        )
    return notes


def _labelled(part: Dataset) -> Iterable[tuple[ImageFile, int]]:
    return zip(part.files or (), part.labels.tolist(), strict=False)


def _some(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{a} = {b}" for a, b in pairs[:3]) + ", ..." * (len(pairs) > 3)
