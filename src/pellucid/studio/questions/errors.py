"""Where a network errs: its confusion matrix, the images of a cell, and why an image is one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ...class_metrics import ClassMetrics
from ...errors import ArgumentError, DataError, did_you_mean
from ...viz import cam_layer, grad_cam, occlusion, saliency
from ...viz.analysis.attribution import covering
from ..opened import Opened
from ..registry import Report, question
from .images import listed

__all__ = ["errors", "errors_cell", "why"]

METHODS = ("saliency", "grad_cam", "occlusion")


@question("errors", scores=True)
def errors(opened: Opened, *, part: str = "test", report: Report) -> dict[str, Any]:
    """Return the confusion matrix of a set of images: int (K, K), the true class is the row.

    With recall, precision and F1 of each class, NaN where there are no images; the accuracy; and
    the roles of all sets that there are.
    """
    images = opened.part(part)
    k = _classes(opened, part)
    guesses = opened.predicted(part, report).argmax(axis=1)
    matrix = np.zeros((k, k), np.int64)
    np.add.at(matrix, (images.labels, guesses), 1)
    found = ClassMetrics.of(matrix)
    return {
        "part": part,
        "parts": {role: len(each) for role, each in opened.parts().items()},
        "classes": list(opened.classes),
        "matrix": matrix,
        "count": len(images),
        "accuracy": float((guesses == images.labels).mean()),
        "support": found.support,
        "recall": found.recall,
        "precision": found.precision,
        "f1": found.f1,
    }


@question("errors/cell", scores=True)
def errors_cell(
    opened: Opened,
    *,
    part: str = "test",
    row: int,
    column: int,
    start: int = 0,
    count: int = 50,
    report: Report,
) -> dict[str, Any]:
    """Return the images of class ``row`` that are taken for ``column``, the most confident first.

    The answer is that of a `gallery`.
    """
    images = opened.part(part)
    _classes(opened, part)
    row, column = opened.require_class(row), opened.require_class(column)
    probabilities = opened.predicted(part, report)
    there = np.flatnonzero((images.labels == row) & (probabilities.argmax(axis=1) == column))
    order = np.argsort(-probabilities[there, column], kind="stable")
    return listed(opened, images, probabilities, there[order], start, count)


@question("why", scores=True)
def why(opened: Opened, *, image: str, class_: int, method: str, report: Report) -> dict[str, Any]:
    """Return which places of an image the score of a class depends on: ``map``, float32 (h, w).

    The map lies over the whole image, however fine it is. ``method`` is "saliency" (the largest
    gradient of the score over the channels), "grad_cam" (the weighted maps of ``layer``) or
    "occlusion" (the fall of the score when a square of ``size`` pixels there is covered; below 0
    where it rises).
    """
    if method not in METHODS:
        raise ArgumentError(
            f"there is no {method!r:.40}. {did_you_mean(method, METHODS)}", where="method"
        )
    x, target = opened.numbers(image), opened.require_class(class_)
    with opened.lock:  # a copy: questions with an answer in milliseconds need not wait for this
        model = copy.deepcopy(opened.scoring)
    said: dict[str, Any] = {"layer": None, "size": None}
    with np.errstate(under="ignore"):
        if method == "saliency":
            found = saliency(model, x, target)
        elif method == "grad_cam":
            said["layer"] = cam_layer(model, x.shape)
            found = grad_cam(model, x, target, said["layer"])
        else:
            _, h, w = x.shape
            size, stride = covering(h, w)
            total, done = -(-h // stride) * -(-w // stride), 0

            def on_batch(images: int) -> None:
                nonlocal done
                done += images
                report(done, total)

            said["size"] = size
            found = occlusion(
                model, x, target, size=size, stride=stride, batch_size=32, on_batch=on_batch
            )
    return {
        "method": method,
        "class": target,
        "map": found.astype(np.float32),
        "low": float(found.min()),
        "high": float(found.max()),
        **said,
    }


def _classes(opened: Opened, part: str) -> int:
    """Return the number of classes, or refuse a set with labels that the network does not know."""
    k, known = len(opened.classes), len(opened.part(part).classes)
    if not 0 < known <= k:
        raise DataError(
            f"the {part} images have {known} classes, and the network gives "
            f"{k or 'no'} scores: open it with the images it was made for.",
            where="part",
        )
    return k
