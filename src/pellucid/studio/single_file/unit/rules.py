"""Rules: how an entry of a description follows from the unit, as JSON.

The rows that a convolution reads begin at ``s·i − p``, the channels of a group at ``o // n · d``,
the bins of an adaptive pooling in a table. Each entry is measured: asked for along each axis, from
one unit on, and what was found is written as the shortest rule that gives it. `resolved` reads a
rule, and ``rules.js`` has its twin.

- ``{"+": [constant, [axis, a], [axis, a, d], [axis, a, d, m], [axis, table], ...]}``: a constant
  and, for each axis with index k, ``a·k``, ``a·(k // d)``, ``a·(k // d % m)``, or ``table[k]``;
- ``{"*": [whole, [axis, table], ...]}``: ``whole`` times ``table[k] / whole`` for each axis;
- ``{"by": axis, "of": table}``: what the table has for the index, be it a text or a list;
- ``{"text": [...]}``: pieces of a text, and rules between them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["UndescribedError", "alike", "product", "resolved", "rule"]

Unit = tuple[int, ...]
CLOSE = 1e-6  # relative: of weights that are computed, not stored
DIGITS = re.compile(r"(\d+)")


class UndescribedError(Exception):
    """What was asked for follows from the unit in none of the ways that a rule can say."""


def rule(here: Any, base: Unit, along: Sequence[Mapping[int, Any]]) -> Any:
    """Return the rule of an entry from what it is at one unit, and with one of its indices changed.

    Parameters
    ----------
    here : str, int, float, bool, list or None
        The entry at the unit.
    base : tuple of int
        The unit.
    along : sequence of dict
        For each axis: the entry by index, the other indices being those of the unit.

    Raises
    ------
    UndescribedError
        If it varies with several axes, and is not a sum of a number for each.

    Examples
    --------
    >>> rule(6, (1, 1), [{0: 6, 1: 6, 2: 7, 3: 7}, {0: 6, 1: 6}])
    {'+': [6, [0, 1, 2]]}
    >>> rule("b[0]", (0,), [{0: "b[0]", 1: "b[1]"}])
    {'text': ['b[', {'+': [0, [0, 1]]}, ']']}
    """
    varying = _varying(along, here)
    if not varying:
        return here
    entries = [entry for axis in varying for entry in along[axis].values()]
    if all(isinstance(entry, str) for entry in entries):
        return _of_text(here, base, along)
    if all(isinstance(entry, int) for entry in entries):
        terms = [_term(axis, along[axis], base[axis]) for axis in varying]
        return {"+": [here + sum(shift for _, shift in terms), *(term for term, _ in terms)]}
    if len(varying) == 1:
        (axis,) = varying
        return {"by": axis, "of": _table(along[axis])}
    raise UndescribedError


def product(here: int, base: Unit, along: Sequence[Mapping[int, Any]]) -> Any:
    """Return the rule of a count that is a product of one for each axis."""
    varying = _varying(along, here)
    return {"*": [here, *([axis, _table(along[axis])] for axis in varying)]} if varying else here


def _varying(along: Sequence[Mapping[int, Any]], here: Any) -> list[int]:
    """Return the axes along which an entry is not what it is ``here``."""
    return [
        axis
        for axis, found in enumerate(along)
        if not all(alike(entry, here) for entry in found.values())
    ]


def resolved(entry: Any, unit: Unit) -> Any:
    """Return an entry, or a dict or list of such, with its rules applied to a unit.

    Examples
    --------
    >>> resolved([{"+": [-1, [1, 2]]}, {"text": ["b[", {"+": [0, [0, 1]]}, "]"]}], (7, 3))
    [5, 'b[7]']
    """
    if isinstance(entry, list):
        return [resolved(each, unit) for each in entry]
    if not isinstance(entry, dict):
        return entry
    if "+" in entry:
        first, *terms = entry["+"]
        return first + sum(_along(unit[axis], *how) for axis, *how in terms)
    if "*" in entry:
        whole, *factors = entry["*"]
        here = math.prod(table[unit[axis]] for axis, table in factors)
        return here // whole ** (len(factors) - 1)
    if "by" in entry:
        return entry["of"][unit[entry["by"]]]
    if "text" in entry and isinstance(entry["text"], list):
        return "".join(str(piece) for piece in resolved(entry["text"], unit))
    return {key: resolved(each, unit) for key, each in entry.items()}


def alike(one: Any, other: Any) -> bool:
    """Return whether two entries are equal, numbers with a fraction within rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return type(one) is type(other) and bool(one == other)


def _along(k: int, a: Any, d: int = 1, m: int | None = None) -> Any:
    if isinstance(a, list):
        return a[k]
    return a * (k // d if m is None else k // d % m)


def _of_text(here: str, base: Unit, along: Sequence[Mapping[int, str]]) -> Any:
    """Split a text into pieces that stay and numbers that follow rules."""
    pieces = [{k: DIGITS.split(text) for k, text in found.items()} for found in along]
    written = []
    for n, piece in enumerate(DIGITS.split(here)):
        found = [{k: split[n] for k, split in of_axis.items()} for of_axis in pieces]
        if n % 2:
            found = [{k: int(digits) for k, digits in of_axis.items()} for of_axis in found]
            number = rule(int(piece), base, found)
            written.append(number if isinstance(number, dict) else piece)
        elif piece:
            written.append(piece)
    return {"text": written}


def _term(axis: int, found: Mapping[int, int], here: int) -> tuple[list[Any], int]:
    """Return the term of an axis, and what is to be added to the constant."""
    first = min(found)
    for how in _shapes(found, first):
        shift = found[first] - _along(first, *how)
        if all(_along(k, *how) + shift == entry for k, entry in found.items()):
            return [axis, *how], -_along(here, *how)
    shifted = {k: entry - found[here] for k, entry in found.items()}
    return [axis, _table(shifted)], 0


def _shapes(found: Mapping[int, int], first: int) -> list[tuple[int, ...]]:
    """Return the ways that it may go on, from where it changes and where it begins anew."""
    changes = [k for k in sorted(found) if found[k] != found[first]]
    if not changes:
        return []
    d = changes[0] - first
    step = found[changes[0]] - found[first]
    ways: list[tuple[int, ...]] = [(step // d,)] if step % d == 0 else []
    ways.append((step, d))
    again = [k for k in sorted(found) if k > changes[0] and found[k] == found[first]]
    return [*ways, (step, d, (again[0] - first) // d)] if again else ways


def _table(found: Mapping[int, Any]) -> list[Any]:
    """Return a list of what was found; 0 for indices that were not looked at."""
    return [found.get(k, 0) for k in range(max(found) + 1)]
