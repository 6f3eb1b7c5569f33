"""Argument checks shared by several layers."""

from __future__ import annotations

import math
from numbers import Real

from ..errors import ArgumentError
from ..ops.checks import require_count

__all__ = ["require_count", "require_number"]


def require_number(
    value: float, name: str, least: float = -math.inf, most: float = math.inf
) -> None:
    """Refuse anything but a finite number from ``least`` to ``most``."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not (least <= value <= most and math.isfinite(value)):
        bounds = " of at least {:g}" if most == math.inf else " from {:g} to {:g}"
        span = bounds.format(least, most) if least > -math.inf else ""
        raise ArgumentError(f"must be a finite number{span}, received {value!r}.", where=name)
