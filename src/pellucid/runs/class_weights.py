"""Weights of classes in the loss, from a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import balanced_weights
from ..errors import ArgumentError, did_you_mean

if TYPE_CHECKING:
    from ..data import Dataset

__all__ = ["class_weights_of"]

_WHERE = "class_weights"


def class_weights_of(text: str | None, train: Dataset) -> tuple[float, ...] | None:
    """Return a weight for each class of ``train``.

    Parameters
    ----------
    text : str, optional
        ``"balanced"``; numbers in the order of the classes, as ``"1,2.5,1"``; or pairs, as
        ``"cat=2.5,dog=2"``, where classes that are not named have 1.
    train : Dataset

    Raises
    ------
    ArgumentError
        If it is none of these, or does not fit the classes.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.data import Dataset
    >>> images, classes = np.zeros((4, 1, 2, 2), np.uint8), ["cat", "dog"]
    >>> train = Dataset.from_arrays(images, np.array([0, 1, 1, 1]), classes)
    >>> class_weights_of("balanced", train), class_weights_of("cat=2.5", train)
    ((2.0, 0.6666666666666666), (2.5, 1.0))
    """
    if text is None:
        return None
    if text.strip().lower() == "balanced":
        return balanced_weights(train)
    items = [item.strip() for item in text.split(",")]
    named = ["=" in item for item in items]
    if any(named):
        weights = dict.fromkeys(train.classes, 1.0)
        given = set()
        for item in items:
            name, _, number = (part.strip() for part in item.rpartition("="))
            if name not in weights:
                raise ArgumentError(
                    f"{name or item!r} is not a class of '{train.name}'. "
                    f"{did_you_mean(name, train.classes)}",
                    where=_WHERE,
                )
            if name in given:
                raise ArgumentError(f"{name!r} was given twice.", where=_WHERE)
            given.add(name)
            weights[name] = _number(number)
        return tuple(weights.values())
    if len(items) != len(train.classes):
        raise ArgumentError(
            f"must be one number for each of {len(train.classes)} classes, received {len(items)}. "
            "Some can be given by name: cat=2.5,dog=2.",
            where=_WHERE,
        )
    return tuple(map(_number, items))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(
            f"must be balanced, numbers as 1,2.5,1, or pairs as cat=2.5, received {text!r}.",
            where=_WHERE,
        ) from None
