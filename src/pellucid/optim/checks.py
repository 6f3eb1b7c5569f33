"""Checks of an optimizer's constants and of its saved memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError, StateDictError
from ..typing import Array

__all__ = [
    "as_decay",
    "as_memory",
    "as_rate",
    "as_steps",
    "plain",
    "require_betas",
    "require_decay",
    "require_eps",
    "require_no_parameters",
    "require_positive",
    "require_weight_decay",
    "wide",
]


def as_rate(value: Any, parameter: str = "") -> float:
    """Return a rate, of a parameter or ``lr``, if it is finite and not negative."""
    return _finite(value, f"rate of {parameter}" if parameter else "lr")


def as_decay(value: Any, parameter: str) -> float:
    """Return a parameter's factor of the weight decay, if it is finite and not negative."""
    return _finite(value, f"decay of {parameter}")


def as_steps(value: Any, key: str) -> int:
    """Return a saved number of steps, if it is a whole number, 0 or more."""
    a = np.asarray(value)
    if a.ndim or a.dtype.kind not in "iu" or a < 0:
        raise StateDictError(
            f"has {value!r} for {key!r}, which must be a whole number of steps. Resume from "
            "another state.",
            where="optimizer state",
        )
    return int(a)


def as_memory(value: Any, key: str) -> Array:
    """Return a copy of a saved array, if it holds real numbers without NaN."""
    a = np.array(value)
    if a.dtype.kind != "f" or np.isnan(a).any():
        what = "NaN" if a.dtype.kind == "f" else f"{a.dtype} numbers"
        raise StateDictError(
            f"has {what} for {key!r}, which must be real numbers. Resume from another state.",
            where="optimizer state",
        )
    return a


def wide(a: Array) -> np.dtype:
    """Return the dtype of the memory: in float16, squared gradients and eps would be 0."""
    return np.promote_types(a.dtype, np.float32)


def _finite(value: Any, where: str) -> float:
    if type(value) is float and 0 <= value < math.inf:  # the usual case
        return value
    if not (_is_number(value) and 0 <= value < math.inf):
        raise ArgumentError(
            f"must be a finite number, 0 or more; it was set to {value!r}.", where=where
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (_is_numpy_number(value) and value.dtype.kind in "iuf")


def _is_numpy_number(value: Any) -> bool:
    """Return whether ``value`` is a NumPy scalar or 0-dimensional array."""
    return isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0


def plain(value: Any) -> Any:
    """Return NumPy scalars as Python numbers, also in a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    return value.item() if _is_numpy_number(value) else value


def require_positive(value: float, name: str) -> float:
    """Return ``value`` if it is a finite number above zero."""
    if not _is_number(value) or not np.isfinite(value) or value <= 0:
        raise ArgumentError(f"must be a finite number above 0, received {value!r}.", where=name)
    return float(value)


def require_eps(value: float) -> float:
    """Return ``value`` if it is positive in float32 too."""
    value = require_positive(value, "eps")
    if value < np.finfo(np.float32).tiny:
        raise ArgumentError(
            f"must be at least {np.finfo(np.float32).tiny:.3g}, received {value!r}: in float32 it "
            "would be 0, and a gradient of 0 would be divided by it.",
            where="eps",
        )
    return value


def require_decay(value: float, name: str) -> float:
    """Return ``value`` if it is at least 0 and below 1."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ArgumentError(f"must be at least 0 and below 1, received {value!r}.", where=name)
    return float(value)


def require_betas(value: Any) -> tuple[float, float]:
    """Return two decay rates, each at least 0 and below 1."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentError(
            "must be two numbers, the decay rates of the gradients' mean and mean square, as "
            f"(0.9, 0.999); received {value!r}.",
            where="betas",
        )
    return require_decay(value[0], "betas[0]"), require_decay(value[1], "betas[1]")


def require_weight_decay(value: float) -> float:
    """Return ``value`` if it is a finite number, 0 or more."""
    if not (_is_number(value) and 0 <= value < math.inf):
        raise ArgumentError(
            f"must be a finite number, 0 or more; received {value!r}.", where="weight_decay"
        )
    return float(value)


def require_no_parameters(rule: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a model's parameters, which optimizers of other frameworks take.

    Raises
    ------
    ArgumentError
    """
    first = args[0] if args else kwargs.get("params")
    if isinstance(first, Iterable) and not isinstance(first, str | bytes | np.ndarray):
        raise ArgumentError(
            f"takes no parameters here: write {rule}(lr=0.01). The Trainer, or your own loop, "
            "passes them to `step(model.parameters())`.",
            where=rule,
        )
