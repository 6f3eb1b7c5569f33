"""What is told of a unit and follows from its place alone: an explanation without the numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....nn import Layer
from ....typing import Array, Shape
from ....viz.analysis.arithmetic import arithmetic
from .rules import CLOSE, DIGITS, UndescribedError, Unit

__all__ = ["WHOLE", "Asked"]

FAR = 1000.0  # beyond every bound between the pieces of a function
CHECKED = 12  # units at which a description is compared with what is told of them
WHOLE = ("down", "across")  # lists that one rule is for
BOUND = re.compile(r"where x > (\S+), else")

# What follows from the numbers of the image, or from the window: it is computed in the page.
COMPUTED = {
    "products": {"numbers", "padded", "weights", "products", "result"},
    "reduction": {"numbers", "padded", "weights", "winner", "each", "result"},
    "terms": {"result"},
    "formula": {"result"},
    "copy": {"result"},
    "reading": {"numbers", "padded", "result"},
}


class Asked:
    """Asks for the explanations of a layer's units, and keeps them.

    Parameters
    ----------
    layer : Layer
    shapes : sequence of shapes
        Of what it reads, without N.
    made : shape
        Of what it makes.
    reads : sequence of int
        The numbers of the values that it reads.
    path : str
    flat : bool
        Whether the place of a number that is copied is told as its index in the array as one row,
        instead of one index for each axis.

    Attributes
    ----------
    units : list of tuple of int
        Corners of the output and places that are drawn, at which a description is checked.
    """

    def __init__(
        self,
        layer: Layer,
        shapes: Sequence[Shape],
        made: Shape,
        reads: Sequence[int],
        path: str,
        flat: bool,
    ) -> None:
        self.layer, self.made, self.reads, self.path = layer, made, reads, path
        self.shapes = dict(zip(reads, shapes, strict=True)) if flat else {}
        rng = np.random.default_rng(0)
        numbers = [rng.random(shape, dtype=np.float32) for shape in shapes]
        # Where a function has pieces, a unit lies on one of them: both ends are asked for.
        self.images = [[x + FAR for x in numbers], [-FAR - x for x in numbers]]
        self.output = np.zeros(made, np.float32)
        self.units = _some_units(made)
        self.told: dict[Unit, Any] = {}
        self.structures: dict[Unit, Any] = {}
        self.both = True
        self.both = any(
            self.at(unit) != self._of_image(self.images[0], unit) for unit in self.units
        )

    def at(self, unit: Unit) -> Any:
        """Return what is told of a unit and follows from its place alone."""
        if unit not in self.told:
            high = self._of_image(self.images[0], unit)
            if self.both:
                high = _joined(high, self._of_image(self.images[1], unit), high["equation"])
            self.told[unit] = high
        return self.told[unit]

    def structure(self, unit: Unit) -> Any:
        """Return the structure of what is told of a unit."""
        if unit not in self.structures:
            self.structures[unit] = structure(self.at(unit))
        return self.structures[unit]

    def _of_image(self, image: list[Array], unit: Unit) -> Any:
        told = arithmetic(
            self.layer, image, self.output, unit, reads=self.reads, path=self.path
        ).as_dict()
        parts: list[Any] = []
        known: set[str] = set()
        for part in told["parts"]:
            parts.append(_without_numbers(part, known))
            if part["form"] == "copy" and self.shapes and part["unit"] is not None:
                del parts[-1]["unit"]
                parts[-1]["flat"] = _flat(part["unit"], self.shapes[part["input"]])
            known.add(part.get("symbol", part["name"]))
        return {key: told[key] for key in ("equation", "symbols", "exact")} | {"parts": parts}


def _some_units(made: Shape) -> list[Unit]:
    """Return corners of an array, and places that are drawn."""
    rng = np.random.default_rng(0)
    corners = [*itertools.product(*({0, size - 1} for size in made))]
    drawn = [tuple(int(rng.integers(size)) for size in made) for _ in range(CHECKED)]
    return [*corners[:CHECKED], *drawn]


def _flat(unit: Sequence[int], shape: Shape) -> int:
    """Return the index of a unit in the array as one row."""
    return int(np.ravel_multi_index(tuple(unit), shape)) if unit else 0


def _without_numbers(part: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Return a part without what is computed from the image."""
    form = part["form"]
    told = {key: entry for key, entry in part.items() if key not in COMPUTED[form]}
    if form == "copy" and part["unit"] is None:
        told["result"] = part["result"]
    if form == "products" and part["weight"] is None and part["weights_from"] is None:
        told["factors"] = _factors(part["weights"])
    if form == "reduction":
        told["steps"] = [_without_numbers(step, {*known, "Σ"}) for step in part["steps"]]
    for name in ("terms", "numbers"):
        if isinstance(told.get(name), list):
            told[name] = [_number(number, known) for number in told[name]]
    return told


def _number(number: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Return a number with where it is from; its value if it is a constant."""
    told = dict(number)
    value = told.pop("value")
    if not {"input", "key"} & told.keys() and told.get("symbol", told.get("label")) not in known:
        told["value"] = int(value) if float(value).is_integer() else value
    return told


def _factors(weights: Array) -> dict[str, list[float]]:
    """Return the column and the row whose outer product is an array of weights (1, H, W)."""
    if weights.ndim != 3 or len(weights) != 1:
        raise UndescribedError
    down = weights[0].sum(axis=1, dtype=np.float64)
    across = weights[0].sum(axis=0, dtype=np.float64)
    if not np.allclose(np.multiply.outer(down, across), weights[0], rtol=CLOSE, atol=CLOSE):
        raise UndescribedError
    return {"down": _written(down), "across": _written(across)}


def _written(weights: Array) -> list[float]:
    return [float(f"{w:.8g}") for w in weights]


def _joined(high: Any, low: Any, equation: str, name: str = "") -> Any:
    """Return what is told of both images; where the formulas differ, both and what is between."""
    if isinstance(high, dict) and isinstance(low, dict) and high.keys() == low.keys():
        return {key: _joined(high[key], low[key], equation, key) for key in high}
    if isinstance(high, list) and isinstance(low, list) and len(high) == len(low):
        return [_joined(*each, equation, name) for each in zip(high, low, strict=True)]
    if type(high) is type(low) and high == low:
        return high
    bound = BOUND.search(equation)
    if name != "text" or bound is None:
        raise UndescribedError
    return {"above": bound[1], "pieces": [high, low]}


def structure(told: Any, name: str = "") -> Any:
    """Return what two explanations have to share for their entries to be compared."""
    if isinstance(told, dict):
        return tuple((key, structure(each, key)) for key, each in told.items())
    if isinstance(told, list) and name not in WHOLE:
        return tuple(structure(each) for each in told)
    if isinstance(told, str):
        return DIGITS.sub("#", told)
    return told if isinstance(told, bool) else isinstance(told, int | float), told is None
