"""Argument checks shared by several layers."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..ops.checks import require_count

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["require_count", "require_number", "require_one_output"]


def require_number(
    value: float, name: str, least: float = -math.inf, most: float = math.inf
) -> None:
    """Refuse anything but a finite number from ``least`` to ``most``."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not (least <= value <= most and math.isfinite(value)):
        bounds = " of at least {:g}" if most == math.inf else " from {:g} to {:g}"
        span = bounds.format(least, most) if least > -math.inf else ""
        raise ArgumentError(f"must be a finite number{span}, received {value!r}.", where=name)


def require_one_output(model: Layer, where: str) -> None:
    """Refuse a model that returns several values, where one is needed."""
    if model.output_names is not None:
        names = ", ".join(map(repr, model.output_names))
        raise ArgumentError(
            f"needs a model with one output, received one that returns {names}. Choose: "
            f"`model.ending_at({model.output_names[0]!r})` is the network up to one of them, with "
            "the same layers.",
            where=where,
        )
