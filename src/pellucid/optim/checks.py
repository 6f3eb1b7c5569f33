"""What the constants and the memory of an optimizer must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, StateDictError
from ..typing import Array

__all__ = [
    "as_memory",
    "as_rate",
    "as_steps",
    "is_numpy_number",
    "require_decay",
    "require_eps",
    "require_positive",
    "wide",
]


def as_rate(value: Any, parameter: str = "") -> float:
    """Return a rate, of a parameter or ``lr``, that may have been changed, if it is one."""
    if type(value) is float and 0 <= value < math.inf:  # as almost always
        return value
    if not (_is_number(value) and 0 <= value < math.inf):
        raise ArgumentError(
            f"must be a finite number, 0 or more; it was set to {value!r}.",
            where=f"rate of {parameter}" if parameter else "lr",
        )
    return float(value)


def as_steps(value: Any, key: str) -> int:
    """Return a number of steps that was saved, if it is one."""
    a = np.asarray(value)
    if a.ndim or a.dtype.kind not in "iu" or a < 0:
        raise StateDictError(
            f"has {value!r} for {key!r}, which must be a whole number of steps. Resume from "
            "another state.",
            where="optimizer state",
        )
    return int(a)


def as_memory(value: Any, key: str) -> Array:
    """Return a copy of an array that was saved, if an optimizer can go on with it."""
    a = np.array(value)
    if a.dtype.kind != "f" or np.isnan(a).any():
        what = "NaN" if a.dtype.kind == "f" else f"{a.dtype} numbers"
        raise StateDictError(
            f"has {what} for {key!r}, which must be real numbers. Resume from another state.",
            where="optimizer state",
        )
    return a


def wide(a: Array) -> np.dtype:
    """Return the dtype to remember in: in float16, squares of gradients and an eps would be 0."""
    return np.promote_types(a.dtype, np.float32)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (is_numpy_number(value) and value.dtype.kind in "iuf")


def is_numpy_number(value: Any) -> bool:
    """Return whether ``value`` is one number, but NumPy's: a scalar or an array without axes."""
    return isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0


def require_positive(value: float, name: str) -> float:
    """Return ``value`` if it is a finite number above zero."""
    if not _is_number(value) or not np.isfinite(value) or value <= 0:
        raise ArgumentError(f"must be a finite number above 0, received {value!r}.", where=name)
    return float(value)


def require_eps(value: float) -> float:
    """Return ``value`` if it is above zero in float32 too."""
    value = require_positive(value, "eps")
    if value < np.finfo(np.float32).tiny:
        raise ArgumentError(
            f"must be at least {np.finfo(np.float32).tiny:.3g}, received {value!r}: in float32 it "
            "would be 0, and a gradient of 0 be divided by it.",
            where="eps",
        )
    return value


def require_decay(value: float, name: str) -> float:
    """Return ``value`` if it is at least 0 and below 1."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ArgumentError(f"must be at least 0 and below 1, received {value!r}.", where=name)
    return float(value)
