"""The parts that a unit's arithmetic is written in.

Every array is float32, every result a float, every place a list of ints without N. A part reads a
`Box` of an input: in its dict, ``channels`` [first, end], ``rows`` and ``columns`` [first, step,
count] for a value (C, H, W); for any other, ``indices`` with [first, step, count] for each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ....typing import Array
from .boxes import Box

__all__ = [
    "Arithmetic",
    "Copy",
    "Factors",
    "Formula",
    "Im2col",
    "Number",
    "Part",
    "Products",
    "Reading",
    "Reduction",
    "Terms",
]


class Record:
    """Base class: what it holds as a dict of numbers, texts, lists and arrays."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields; a box as the ranges that it consists of."""
        found: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, Box):
                found |= value.as_dict()
            else:
                found[field.name] = plain(value)
        return found


class Part(Record):
    """Base class of the parts; ``result`` is the number that the part comes to."""

    form: ClassVar[str]
    result: float

    def as_dict(self) -> dict[str, Any]:
        """Return the form, and the fields."""
        return {"form": self.form, **super().as_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Record):
    """One number in a formula or a sum, and where it comes from.

    ``key`` and ``index`` say which number of which array of the network's state it is, ``input``
    and ``unit`` which number of which value. What does not apply is left out of the dict.
    """

    symbol: str
    value: float
    key: str | None = None
    index: Sequence[int] | None = None
    input: int | None = None
    unit: Sequence[int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what is known."""
        return {k: v for k, v in Record.as_dict(self).items() if v is not None}


@dataclass(frozen=True, slots=True)
class Im2col(Record):
    """A unit as a row times a column of the matrices of im2col.

    ``row`` is the unit's row, ``shape`` the (rows, columns) of the matrix of one image and group,
    ``weights`` the (columns, outputs) of the matrix that it is multiplied by.
    """

    row: int
    shape: tuple[int, int]
    weights: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Factors(Record):
    """The box of a second input, whose numbers are the weights of a product of matrices."""

    input: int
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Products(Part):
    """Numbers times weights, and their sum.

    Attributes
    ----------
    input : int
        The value that the numbers are of.
    box : Box
        Which of its numbers.
    numbers, weights, products : float32 arrays of the shape of the box
        Padding is 0.
    padded : bool array (FH, FW), or None
        Which cells of the window are padding.
    weight : str or None
        The key in the state dict of the array that the weights are of; None if there is none.
    weight_index : sequence, or None
        Where in that array: an int for an axis that is fixed, [first, step] for one that goes along
        with the next axis of the products; further axes go along from 0.
    weights_from : Factors or None
        The other input, if the weights are numbers of it.
    im2col : Im2col or None
    """

    form: ClassVar[str] = "products"
    input: int
    box: Box
    numbers: Array
    padded: Array | None
    weights: Array
    products: Array
    result: float
    name: str = "Σ"
    weight: str | None = None
    weight_index: Sequence[Any] | None = None
    weights_from: Factors | None = None
    im2col: Im2col | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction(Part):
    """Numbers of a window reduced to one: its maximum, mean, norm, ...

    Attributes
    ----------
    name : str
        "max", "min", "mean", "sum", "Lp", "variance".
    input, box, numbers, padded
        As in `Products`, but padding is -inf for a maximum.
    symbol : str
        What formulas after it call the result.
    winner : sequence of int, or None
        Of a maximum or minimum: the index in ``numbers``.
    counted : int
        The count of numbers that count, as the divisor of a mean.
    text : str
        What is done to each number z before the sum, as "|z|^p"; "" for nothing.
    each : float32 array or None
        That, for each number.
    steps : sequence of Formula
        The way from the numbers to the result.
    """

    form: ClassVar[str] = "reduction"
    name: str
    input: int
    box: Box
    numbers: Array
    padded: Array | None
    result: float
    symbol: str = "y"
    winner: Sequence[int] | None = None
    counted: int
    text: str = ""
    each: Array | None = None
    weight: str | None = None
    weight_index: Sequence[Any] | None = None
    weights: Array | None = None
    steps: Sequence[Formula] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Part):
    """A few numbers joined by one operator: "+", "−", "×", "/", "max" or "min".

    In the dict each has a ``label`` where those of a formula have a ``symbol``.
    """

    form: ClassVar[str] = "terms"
    terms: Sequence[Number]
    result: float
    operator: str = "+"
    name: str = "+"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, with labels."""
        told = Part.as_dict(self)
        told["terms"] = [{"label": term.pop("symbol"), **term} for term in told["terms"]]
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula(Part):
    """A formula, and the number for each of its symbols."""

    form: ClassVar[str] = "formula"
    text: str
    numbers: Sequence[Number]
    result: float
    name: str = "y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Part):
    """A number that is another one, at ``unit`` of value ``input``; both are None for padding."""

    form: ClassVar[str] = "copy"
    input: int | None
    unit: Sequence[int] | None
    result: float
    name: str = "y"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, and whether it is padding."""
        return {**Part.as_dict(self), "padded": self.unit is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Part):
    """What a unit reads, where no more is known: ``result`` is the number in the map."""

    form: ClassVar[str] = "reading"
    name: str
    input: int
    box: Box
    numbers: Array
    padded: Array | None
    result: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Record):
    """The sums of one unit.

    Attributes
    ----------
    value : int
        The number of the layer's output among the values of the network.
    path, kind, repr : str
        The layer's path, class, and constructor's call.
    unit : sequence of int
    engine : float
        The number in the map.
    result : float
        What the parts come to: the result of the last one.
    equation : str
    symbols : dict of str to int or list of int
        The numbers of the equation's letters for this unit.
    exact : bool
        Whether the parts say how the number is computed, or only what it is computed from.
    parts : sequence of Part
        In the order in which they are computed.
    """

    value: int
    path: str
    kind: str
    repr: str
    unit: Sequence[int]
    engine: float
    result: float
    equation: str
    symbols: dict[str, Any]
    exact: bool
    parts: Sequence[Part]


def plain(value: Any) -> Any:
    """Return a field as JSON has it; arrays stay as they are."""
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
