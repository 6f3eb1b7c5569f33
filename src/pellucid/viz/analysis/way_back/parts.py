"""The parts that the way back of a unit is written in; every array of numbers is float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....typing import Array
from ..arithmetic import Box, Number
from ..arithmetic.parts import Part, Record

__all__ = ["Hand", "Loss", "Returned", "WayBack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Part):
    """What the units of one later value, which read this unit, return to it.

    Attributes
    ----------
    reader : int
        The value.
    path, kind, equation : str
        Of the layer that makes it.
    input : int
        Which of the layer's inputs the unit belongs to.
    numbers : float32 array
        ``dy``, the gradients of the units that read it.
    factors : float32 array
        ``∂y/∂x``, by how much each of them grows with the unit.
    products : float32 array
    box : Box or None
        Where these units are, if on a grid; the arrays have its shape.
    units : int32 array (n, axes) or None
        Otherwise, the index of each.
    weight : str or None
        The key of the array that the factors are numbers of.
    symbols : sequence of Number
        Of the equation.
    listed : bool
        False where they are too many to list: numbers, factors and products are None then, and the
        result is that of the layer's backward.
    """

    form = "products"
    reader: int
    path: str
    kind: str
    equation: str
    input: int
    result: float
    name: str = "Σ"
    box: Box | None = None
    units: Array | None = None
    numbers: Array | None = None
    factors: Array | None = None
    products: Array | None = None
    weight: str | None = None
    symbols: Sequence[Number] = ()
    listed: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the fields; without a box, no channels, rows, columns and indices."""
        none = dict.fromkeys(("channels", "rows", "columns", "indices"))
        told = none | Part.as_dict(self)
        told.pop("box", None)
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand(Record):
    """What the unit hands to each number of its window.

    Attributes
    ----------
    input : int
        The value that the window is of.
    box : Box
    numbers : float32 array
        Of the window, with 0 for padding.
    padded : bool array (FH, FW) or None
    factors : float32 array
        ``∂y/∂x`` for each of them: 0 for padding, and where a maximum or a gate lets nothing pass.
    products : float32 array
        The gradient that arrives times these factors.
    weights : float32 array or None
        The window of weights that the numbers were multiplied by, in layers that do that.
    weight : str or None
        The key of their array.
    weight_index : sequence or None
        Where in it, as in `pellucid.viz.analysis.arithmetic.Products`.
    """

    input: int
    box: Box
    numbers: Array
    padded: Array | None
    factors: Array
    products: Array
    weights: Array | None = None
    weight: str | None = None
    weight_index: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Record):
    """The loss: softmax, minus the one-hot row of the class, as numbers (K,).

    ``value`` has the scores, and ``gradient`` is theirs.
    """

    value: int
    text: str
    result: float
    scores: Array
    probabilities: Array
    target: Array
    gradient: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack(Record):
    """The way back of one unit; see `way_back`.

    Attributes
    ----------
    value : int
    unit : sequence of int
    path, kind : str
        Of the layer that makes the value; "" for the image.
    class_ : int
        In the dict: ``class``.
    loss : Loss
    arrives : float
        ``∂L/∂y`` of the unit.
    map : float32 array
        The gradient of the whole value.
    equation : str
    parts : sequence of Returned and Formula
        Their results add up to ``arrives``.
    hands : sequence of Hand
        One for each value that the layer reads; none for the image.
    """

    value: int
    unit: Sequence[int]
    path: str
    kind: str
    class_: int
    loss: Loss
    arrives: float
    map: Array
    equation: str
    parts: Sequence[Part]
    hands: Sequence[Hand]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields; ``loss`` is the number, ``trace`` how it is computed."""
        told = Record.as_dict(self)
        trace, target = told.pop("loss"), told.pop("class_")
        return {
            **told, "class": target, "loss": trace["result"], "trace": trace,
            "scores": trace["scores"], "probabilities": trace["probabilities"],
        }  # fmt: skip
