"""What a unit sees, back to the image, and what of the later values it reaches."""

from __future__ import annotations

from typing import Any

from ...viz.analysis.reach import around, reached, seen_by
from ..opened import Opened
from ..registry import question

__all__ = ["field"]


@question("field")
def field(opened: Opened, *, value: int, unit: list[int]) -> dict[str, Any]:
    """Return the windows that a unit sees, and the boxes of later values that depend on it.

    Each is [first, end) along channels, rows and columns. Rows and columns of ``windows`` below 0
    or beyond the map are padding. In ``reaches``, ``units`` is how many numbers of the value depend
    on it: fewer than the box has where strides or dilations leave some out.
    """
    place = opened.require_unit(value, unit)
    shape = opened.shapes[0]
    ahead = reached(opened.model, shape, value, place)
    return {
        "value": value,
        "unit": list(place),
        "windows": [box.as_dict() for box in seen_by(opened.model, shape, value, place)],
        "reaches": [
            {**around(later, marks).as_dict(), "units": int(marks.sum())}
            for later, marks in ahead.items()
        ],
    }
