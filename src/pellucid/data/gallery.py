"""A data set in a notebook: how many images each class has, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..display.html import Html, element
from ..display.output import framed
from ..display.pictures import image, pixels
from ..names import shown, told_apart
from ..shapes import shape_text

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["gallery_html"]

MOST = 20  # classes; images are read for them
LONGEST = 24  # columns of a class's name


def gallery_html(dataset: Dataset) -> str:
    """Return the first image of each of the first 20 classes, and the number of its images.

    Examples
    --------
    >>> from pellucid import data
    >>> gallery_html(data.digits()[1]).count("<img ")
    10
    """
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes)).tolist()
    present = np.flatnonzero(counts)
    names = told_apart(dataset.classes, LONGEST)
    figures = []
    for k in present[:MOST].tolist():
        first = int(np.argmax(dataset.labels == k))
        drawn = image(pixels(dataset.images[first], dataset.peak), f"class {names[k]}")
        count = f"{counts[k]:,} image{'s' * (counts[k] != 1)}"
        caption = element("figcaption", element("strong", names[k]), Html("<br>"), count)
        figures.append(element("li", element("figure", Html(drawn), caption)))
    total = f"{len(dataset):,} image{'s' * (len(dataset) != 1)} {shape_text(dataset.image_shape)}"
    said = f", {dataset.split}: {total}, {len(dataset.classes):,} classes"
    note = f"One image of each of the first {MOST} classes with images."
    return framed(
        element("p", element("strong", shown(dataset.name, 60)), said),
        element("ul", *figures, class_="gallery"),
        *[element("p", note, class_="note")] * (len(present) > MOST),
    )
