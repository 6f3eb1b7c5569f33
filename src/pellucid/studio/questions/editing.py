"""Change a weight by hand, and see what that does."""

from __future__ import annotations

import math
from typing import Any

from ...errors import ArgumentError, did_you_mean
from ...shapes import shape_text
from ...typing import Array
from ..opened import Opened
from ..registry import question

__all__ = ["edit", "restore", "weights"]

MOST = 1 << 16  # numbers of one answer


@question("weights")
def weights(opened: Opened, *, key: str, first: int = 0, count: int = 1) -> dict[str, Any]:
    """Return entries (n, ...) of a parameter along its first axis, as filters of a convolution.

    ``low`` and ``high`` are those of the whole parameter.
    """
    array = _parameter(opened, key)
    with opened.lock:
        rows = array.reshape(len(array), -1) if array.ndim > 1 else array[:, None]
        count = min(max(count, 1), max(1, MOST // max(rows.shape[1], 1)))
        first = min(max(first, 0), len(rows) - 1)
        some = array[first : first + count].copy()
        return {
            "key": key,
            "first": first,
            "total": len(rows),
            "shape": list(array.shape),
            "low": float(array.min()),
            "high": float(array.max()),
            "weights": some,
            "version": opened.version,
        }


@question("edit")
def edit(
    opened: Opened, *, key: str, index: list[int], number: float, image: str | None = None
) -> dict[str, Any]:
    """Set one weight, also of the live training; return what was there, and what it does.

    With an ``image``: its scores and probabilities before and after.
    """
    array = _parameter(opened, key)
    place = _place(array, key, index)
    if not math.isfinite(number) or abs(number) > 1e30:
        raise ArgumentError(f"must be finite, received {number}.", where="number")
    with opened.lock:
        before = float(array[place])
        seen = _scores(opened, image)
        opened.edits.setdefault((key, place), before)
        _set(opened, key, place, number)
        after = _scores(opened, image)
    training = None if opened.studio is None else opened.studio.training
    if training is not None and training.opened is opened and training.alive:
        training.edit(key, place, number)
    return {
        "key": key,
        "index": index,
        "before": before,
        "number": float(array[place]),
        "edits": len(opened.edits),
        "scores": [seen, after],
        "version": opened.version,
    }


@question("restore")
def restore(opened: Opened) -> dict[str, Any]:
    """Undo all edits by hand, where no training has gone on from them; return their number."""
    training = None if opened.studio is None else opened.studio.training
    live = training if training is not None and training.opened is opened else None
    with opened.lock:
        edits, opened.edits = opened.edits, {}
        for (key, place), number in edits.items():
            _set(opened, key, place, number)
    if live is not None and live.alive:
        for (key, place), number in edits.items():
            live.edit(key, place, number)
    return {"restored": len(edits), "version": opened.version}


def _set(opened: Opened, key: str, place: tuple[int, ...], number: float) -> None:
    opened.model.parameters()[key].data[place] = number
    opened.changed()
    if opened.studio is not None:
        opened.studio.events.tell("changed", {"network": opened.id, "version": opened.version})


def _scores(opened: Opened, image: str | None) -> dict[str, Any] | None:
    if image is None:
        return None
    scores = opened.scores(image)
    return {
        "scores": scores,
        "probabilities": opened.probabilities(scores) if opened.classes else None,
    }


def _parameter(opened: Opened, key: str) -> Array:
    """Return the array of a parameter."""
    parameters = opened.model.parameters()
    if key not in parameters:
        raise ArgumentError(
            f"is not a parameter of this network: {key!r:.80}. {did_you_mean(key, parameters)}",
            where="key",
        )
    return parameters[key].data


def _place(array: Array, key: str, index: list[int]) -> tuple[int, ...]:
    inside = all(0 <= k < n for k, n in zip(index, array.shape, strict=False))
    if len(index) != array.ndim or not inside:
        raise ArgumentError(
            f"must be {array.ndim} indices below {shape_text(array.shape)} of {key!r}, received "
            f"{index}.",
            where="index",
        )
    return tuple(index)
