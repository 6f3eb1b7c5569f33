"""What a file needs in order to say how any unit of a network is computed, without Python.

Nothing is said here of any layer: `pellucid.viz.analysis.arithmetic` is asked about units along
each axis of a layer's output, and what it tells apart from the numbers of the image (which window,
which weights, which formula) becomes a description with rules (`rules`). ``arithmetic.js`` applies
them to a unit, looks the numbers up, and computes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ....nn import Layer
from ....nn.walk import Node
from ....typing import Shape
from .rules import UndescribedError, Unit, alike, product, resolved, rule
from .structures import WHOLE, Asked

__all__ = ["described", "of_layer"]

MOST_VARIANTS = 64
COUNTS = ("counted", "n")  # of a window's cells: those of its rows times those of its columns


def described(nodes: Sequence[Node], shapes: Sequence[Shape]) -> dict[str, Any]:
    """Return what ``arithmetic.js`` has to know of a network, as JSON has it.

    Parameters
    ----------
    nodes : sequence of Node
        Of `pellucid.nn.walk.flattened`.
    shapes : sequence of shapes
        Of the image and of the value of each node, without N.

    Returns
    -------
    dict
        ``values``: for each value how its units are computed; ``keys``: those of the arrays of the
        network's state that are looked up.

    Examples
    --------
    >>> from pellucid import nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 4, 3, padding=1), relu=nn.ReLU())
    >>> told = described(nn.walk.flattened(model), [(1, 6, 6), (4, 6, 6), (4, 6, 6)])
    >>> told["keys"]
    ['conv.weight', 'conv.bias']
    >>> told["values"][1]["variants"][0]["parts"][0]["rows"]
    [{'+': [-1, [1, 1]]}, 1, 3]
    """
    values = [_IMAGE]
    for value, node in enumerate(nodes, 1):
        read, made = [shapes[k] for k in node.reads], shapes[value]
        values.append(
            of_layer(node.layer, read, made, value=value, reads=node.reads, path=node.name)
        )
    named = dict.fromkeys(key for value in values for key in _keys(value))
    return {"values": values, "keys": list(named)}


_PIXEL = {
    "equation": "",
    "symbols": {letter: {"+": [0, [axis, 1]]} for axis, letter in enumerate("cij")},
    "exact": True,
    "parts": [],
}
_IMAGE: dict[str, Any] = {
    "value": 0, "path": "", "kind": "input", "repr": "", "reads": [], "variants": [_PIXEL],
}  # fmt: skip


def _keys(told: Any) -> Iterator[str]:
    """Yield the keys of arrays that a description names."""
    if isinstance(told, list):
        for each in told:
            yield from _keys(each)
    elif isinstance(told, dict):
        for name, each in told.items():
            if name in ("key", "weight") and isinstance(each, str):
                yield each
            else:
                yield from _keys(each)


def of_layer(
    layer: Layer,
    shapes: Sequence[Shape],
    made: Shape,
    *,
    value: int = 1,
    reads: Sequence[int] = (0,),
    path: str = "",
) -> dict[str, Any]:
    """Return the description of a layer that reads values of ``shapes`` and makes one of ``made``.

    One that no rules describe has no ``variants``: of its units the page tells what they read.

    Examples
    --------
    >>> from pellucid import nn
    >>> of_layer(nn.Flatten(), [(2, 3, 4)], (24,))["variants"][0]["parts"][0]["unit"]
    [{'+': [0, [0, 1, 12]]}, {'+': [0, [0, 1, 4, 3]]}, {'+': [0, [0, 1, 1, 4]]}]
    """
    known = {"value": value, "path": path, "kind": type(layer).__name__, "repr": repr(layer)}
    told = {**known, "reads": [int(k) for k in reads]}
    for flat in (False, True):
        with suppress(UndescribedError):
            return told | _measured(Asked(layer, shapes, made, reads, path, flat))
    return told


def _measured(asked: Asked) -> dict[str, Any]:
    """Measure each entry of each variant: of the units whose explanations have one structure."""
    made = asked.made
    middle = tuple(size // 2 for size in made)
    classes = []
    for axis, size in enumerate(made):
        found: dict[Any, list[int]] = {}
        for k in range(size):
            found.setdefault(asked.structure(_with(middle, axis, k)), []).append(k)
        classes.append([*found.values()])
    if math.prod(map(len, classes)) > MOST_VARIANTS:
        raise UndescribedError
    variants = [_variant(asked, indices) for indices in itertools.product(*classes)]
    told: dict[str, Any] = {"variants": variants}
    if len(variants) > 1:
        told["which"] = [_which(found) for found in classes]
    _require_same(asked, told)
    return told


def _which(found: list[list[int]]) -> list[int]:
    """Return the class of each index of an axis; [] if there is one."""
    if len(found) == 1:
        return []
    of = {k: n for n, indices in enumerate(found) for k in indices}
    return [of[k] for k in range(len(of))]


def _variant(asked: Asked, indices: tuple[list[int], ...]) -> dict[str, Any]:
    base = tuple(of_axis[len(of_axis) // 2] for of_axis in indices)
    units = [{k: _with(base, axis, k) for k in of_axis} for axis, of_axis in enumerate(indices)]
    here = asked.structure(base)
    if any(asked.structure(unit) != here for of_axis in units for unit in of_axis.values()):
        raise UndescribedError
    along = [{k: asked.at(unit) for k, unit in of_axis.items()} for of_axis in units]
    found: dict[str, Any] = asked.at(base)
    return {key: _rules(base, [_each(told, key) for told in along], found[key]) for key in found}


def _rules(base: Unit, along: list[dict[int, Any]], here: Any, name: str = "") -> Any:
    """Return ``here`` with a rule for each entry that varies; ``name`` is that of the entry."""
    if isinstance(here, dict):
        names = {key: str(here.get("symbol", key)) if key == "value" else key for key in here}
    elif isinstance(here, list) and name not in WHOLE:
        names = dict.fromkeys(range(len(here)), name)
    else:
        return (product if name in COUNTS else rule)(here, base, along)
    found = {
        key: _rules(base, [_each(of_axis, key) for of_axis in along], here[key], inner)
        for key, inner in names.items()
    }
    return found if isinstance(here, dict) else [*found.values()]


def _each(told: dict[int, Any], key: Any) -> dict[int, Any]:
    return {k: entries[key] for k, entries in told.items()}


def _require_same(asked: Asked, told: dict[str, Any]) -> None:
    """Compare the description with what is told of some units."""
    for unit in asked.units:
        try:
            here = resolved(_chosen(told, asked.made, unit), unit)
        except (IndexError, TypeError, ZeroDivisionError) as error:
            raise UndescribedError from error
        if not alike(here, asked.at(unit)):
            raise UndescribedError


def _chosen(told: dict[str, Any], made: Shape, unit: Unit) -> Any:
    """Return the variant of a unit."""
    number = 0
    for which, k in zip(told.get("which", [[]] * len(made)), unit, strict=True):
        number = number * (max(which, default=0) + 1) + (which[k] if which else 0)
    return told["variants"][number]


def _with(unit: Unit, axis: int, k: int) -> Unit:
    return (*unit[:axis], k, *unit[axis + 1 :])
