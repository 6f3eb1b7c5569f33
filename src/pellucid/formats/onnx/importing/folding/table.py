"""The table of operators over known values, and how one is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..registry import Unsupported
from ..values import BATCHES, LARGEST, Known

__all__ = ["FOLDS", "UNFIT", "Attributes", "Fold", "bounded", "fold", "folds"]

Attributes: TypeAlias = dict[str, Any]
Fold: TypeAlias = Callable[..., Any]

# What NumPy and Python raise of arguments of a wrong kind, number or shape.
UNFIT = (ValueError, TypeError, KeyError, IndexError, OverflowError, ZeroDivisionError)

# By operator: a function of (attributes, *arrays) that returns an array or a list of arrays.
FOLDS: dict[str, Fold] = {}
# Operators that only rearrange: what they make of a weight is a weight.
_REARRANGE = {"Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Cast"}


def folds(*operators: str) -> Callable[[Fold], Fold]:
    """Register a function for operators over known values."""

    def register(function: Fold) -> Fold:
        for operator in operators:
            FOLDS[operator] = function
        return function

    return register


def fold(op: str, attributes: Attributes, inputs: Sequence[Known | None]) -> list[Known]:
    """Return what an operator makes of known values.

    Raises
    ------
    Unsupported
        If the operator is not one of `FOLDS`, or its arguments do not fit.
    """
    if op not in FOLDS:
        raise Unsupported("it computes a constant by an operator that is not known for constants")
    trainable = op in _REARRANGE and bool(inputs and inputs[0] and inputs[0].trainable)
    named = trainable and op != "Identity"  # by which exporters let layers share equal weights
    name = inputs[0].name if named and inputs[0] else ""
    results = []
    for k in range(len(BATCHES)):
        arrays = [None if each is None else each.arrays[k] for each in inputs]
        try:
            with np.errstate(all="ignore"):
                made = FOLDS[op](attributes, *arrays)
        except UNFIT as error:
            raise Unsupported(f"its constant inputs do not fit: {error}") from None
        results.append(made if isinstance(made, list) else [made])
        if all(each is None or each.arrays[0] is each.arrays[1] for each in inputs):
            results.append(results[0])
            break
    first, second = results
    return [
        Known((np.asarray(a), np.asarray(b)), trainable, name)
        for a, b in zip(first, second, strict=True)
    ]


def bounded(shape: Iterable[Any]) -> tuple[int, ...]:
    """Return a shape, unless it has more numbers than `LARGEST`."""
    sizes = tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes) or math.prod(sizes) > LARGEST:
        raise ValueError(f"it makes an array of shape {sizes}; at most {LARGEST:,} numbers are")
    return sizes
