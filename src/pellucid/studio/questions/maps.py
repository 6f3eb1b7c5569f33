"""The feature maps of a value, some channels at a time."""

from __future__ import annotations

import math
from typing import Any

from ..opened import Opened
from ..registry import question

__all__ = ["maps"]

MOST = 1 << 22  # numbers of one answer: 16 MB


@question("maps")
def maps(
    opened: Opened, *, image: str, value: int, first: int = 0, count: int | None = None
) -> dict[str, Any]:
    """Return maps (n, H, W) of a value from channel ``first`` on, or numbers (n,) of a row.

    The range of the whole value and that of each of these maps come with them. At most 4,194,304
    numbers are returned at once: ``maps`` then has fewer channels than were asked for.
    """
    found = opened.values(image)[opened.require_value(value)]
    channels = len(found)
    first = min(max(first, 0), channels)
    room = max(1, MOST // max(found[0].size, 1))
    last = min(channels, first + min(room, channels if count is None else max(count, 0)))
    some = found[first:last]
    flat = some.reshape(len(some), math.prod(some.shape[1:]))
    return {
        "value": value,
        "first": first,
        "total": channels,
        "low": float(found.min()),
        "high": float(found.max()),
        "lows": flat.min(axis=1),
        "highs": flat.max(axis=1),
        "maps": some,
    }
