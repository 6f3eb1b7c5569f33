"""How exact products are: what a user may ask for, and what a machine offers.

>>> require_precision("bf16")
'bf16'
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from .errors import ArgumentError, did_you_mean

__all__ = ["PRECISIONS", "Precision", "PrecisionWarning", "offered", "require_precision"]

Precision: TypeAlias = Literal["float32", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
USUAL: Precision = "float32"
OTHER_NAMES = {"bfloat16": "bf16", "bf16-mixed": "bf16", "fp32": "float32", "32": "float32"}


class PrecisionWarning(UserWarning):
    """The machine cannot compute faster in the precision that was asked for."""


def require_precision(precision: object) -> Precision:
    """Return ``precision`` if it is one.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    for one in get_args(Precision):
        if isinstance(precision, str) and precision == one:
            return one
    meant = OTHER_NAMES.get(str(precision), str(precision))
    raise ArgumentError(
        f"must be {' or '.join(map(repr, PRECISIONS))}, received {precision!r}. "
        f"{did_you_mean(meant, PRECISIONS)}",
        where="precision",
    )


def offered(precision: Precision, precisions: Sequence[str]) -> Precision:
    """Return ``precision`` if it is the usual one or offered; else the usual one, with a warning.

    The warning comes once in a process.
    """
    if precision == USUAL or precision in precisions:
        return precision
    _warn(precision)
    return USUAL


@functools.cache
def _warn(precision: str) -> None:
    warnings.warn(
        f"precision={precision!r}: this processor has no instructions for it that are faster than "
        f"those of {USUAL}. AMD processors since Zen 4 have some (AVX512-BF16); those of Intel's "
        f"Sapphire and Emerald Rapids are slower. Everything is computed in {USUAL} instead, as "
        "fast as without it.",
        PrecisionWarning,
        stacklevel=2,
    )
