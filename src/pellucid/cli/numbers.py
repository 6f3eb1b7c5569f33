"""Parse arrays of numbers: ``1,2;3,4``, or a size for random ones."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ..errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np

    from ..shapes import Padding
    from ..typing import Array, Pair

__all__ = ["array", "padding", "two"]

MOST = 10_000  # numbers
SIZE = re.compile(r"\s*(\d{1,3}\s*x\s*){1,2}\d{1,3}\s*")


def array(
    text: str,
    option: str,
    *,
    rng: np.random.Generator,
    default: tuple[int, int, int],
    between: tuple[int, int],
) -> Array:
    """Return the numbers (C, H, W) that ``text`` spells.

    Rows are separated by ``;``, channels by ``|``. ``random`` draws whole numbers ``between`` (both
    included) in the ``default`` shape; a size as 5x7 or 3x5x7 draws them in that shape.

    Raises
    ------
    ArgumentError
        Naming the ``option``.

    Examples
    --------
    >>> import numpy as np
    >>> draw = {"rng": np.random.default_rng(0), "default": (1, 4, 4), "between": (0, 9)}
    >>> array("1,2;3,4 | 5,6;7,8", "--input", **draw).tolist()
    [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    >>> array("2x3", "--input", **draw).shape, array("random", "--input", **draw).shape
    ((1, 2, 3), (1, 4, 4))
    """
    import numpy as np

    if SIZE.fullmatch(text) or text.strip().lower() == "random":
        sizes = [int(size) for size in text.split("x")] if SIZE.fullmatch(text) else list(default)
        shape = (*default[:1], *sizes) if len(sizes) == 2 else tuple(sizes)
        if not 0 < math.prod(shape) <= MOST:
            raise ArgumentError(
                f"must be of 1 to {MOST:,} numbers, received {text!r}.", where=option
            )
        low, high = between
        return rng.integers(low, high + 1, size=shape).astype(np.float64)
    channels = [
        [[_number(n, option) for n in row.split(",")] for row in channel.strip(" ;").split(";")]
        for channel in text.split("|")
    ]
    widths = {len(row) for channel in channels for row in channel}
    heights = {len(channel) for channel in channels}
    if len(widths) > 1 or len(heights) > 1:
        what = "rows must have as many numbers" if len(widths) > 1 else "channels as many rows"
        sizes = sorted(widths if len(widths) > 1 else heights)
        raise ArgumentError(
            f"all {what} as the others; received {', '.join(map(str, sizes))}.", where=option
        )
    return np.array(channels, dtype=np.float64)


def two(text: str, option: str) -> Pair:
    """Return one whole number, or two as (vertical, horizontal)."""
    values = _whole(text, option, (1, 2))
    return values[0] if len(values) == 1 else (values[0], values[1])


def padding(text: str, option: str = "--padding") -> Padding:
    """Return "same", "valid", or one, two or four whole numbers.

    Examples
    --------
    >>> padding("same"), padding("1"), padding("0,1,0,1")
    ('same', 1, (0, 1, 0, 1))
    """
    if text == "same" or text == "valid":
        return "same" if text == "same" else "valid"
    values = _whole(text, option, (1, 2, 4), "same or valid, or ")
    return values[0] if len(values) == 1 else values


def _whole(text: str, option: str, counts: tuple[int, ...], also: str = "") -> tuple[int, ...]:
    parts = text.replace("x", ",").split(",")
    if len(parts) not in counts or not all(part.strip().isdecimal() for part in parts):
        many = " or ".join(map(str, counts))
        raise ArgumentError(
            f"must be {also}{many} whole numbers, as 1 or 1,2; received {text!r}.", where=option
        )
    return tuple(int(part) for part in parts)


def _number(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ArgumentError(
            f"{text.strip()!r} is not a number. Write rows as 1,2;3,4 with | between channels, "
            "a size as 5x7, or random.",
            where=option,
        ) from None
    if not math.isfinite(value):
        raise ArgumentError(f"must be finite numbers, received {text.strip()}.", where=option)
    return value
