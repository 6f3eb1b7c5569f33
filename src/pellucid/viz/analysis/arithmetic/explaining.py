"""From a layer and one unit of its output to the arithmetic of this unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....errors import ArgumentError
from ....nn import Layer
from ....nn.by_class import ByClass
from ....nn.state import key_of
from ....typing import Array
from .boxes import Box
from .parts import Arithmetic, Formula, Number, Part, Products, Terms
from .unknown import readings

__all__ = ["EXPLANATIONS", "Explained", "Place", "arithmetic", "explains"]


@dataclass(frozen=True, slots=True)
class Explained:
    """An equation, the numbers of its letters for the unit, and the parts in their order."""

    equation: str
    parts: Sequence[Part]
    symbols: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One unit of a layer's output, with what it is computed from.

    Attributes
    ----------
    layer : Layer
    inputs : sequence of arrays
        What the layer read, without N.
    output : array
        What it made, without N.
    unit : tuple of int
    reads : tuple of int
        The numbers of the input values.
    path : str
        The layer's path in the network.
    """

    layer: Layer
    inputs: Sequence[Array]
    output: Array
    unit: tuple[int, ...]
    reads: tuple[int, ...]
    path: str = ""

    @property
    def x(self) -> Array:
        """The first input."""
        return self.inputs[0]

    def input_number(self, symbol: str, unit: Sequence[int] | None = None, k: int = 0) -> Number:
        """Return a number of the k-th input, by default that at the unit's own place."""
        place = tuple(int(i) for i in (self.unit if unit is None else unit))
        value = float(self.inputs[k][place])
        return Number(symbol=symbol, value=value, input=self.reads[k], unit=place)

    def key(self, name: str) -> str:
        """Return the key of one of the layer's own arrays in the network's state dict."""
        return key_of(self.path, self.layer, name)

    def own_number(self, symbol: str, name: str, index: Sequence[int] = ()) -> Number:
        """Return a number of one of the layer's own arrays."""
        place = tuple(int(i) for i in index)
        value = float(getattr(self.layer, name).data[place])
        return Number(symbol=symbol, value=value, key=self.key(name), index=place)

    def products(self, box: Box, weights: Array, k: int = 0, **more: Any) -> Products:
        """Return the products of the k-th input's numbers in ``box`` with ``weights``."""
        x = self.inputs[k]
        numbers = box.numbers(x)
        weights = np.ascontiguousarray(weights, dtype=np.float32).reshape(numbers.shape)
        with np.errstate(all="ignore"):
            products = numbers * weights + np.float32(0)  # no -0 where a weight meets padding
            result = float(products.sum(dtype=np.float64))
        return Products(
            input=self.reads[k],
            box=box,
            numbers=numbers,
            padded=box.padded(x.shape),
            weights=weights,
            products=products,
            result=result,
            **more,
        )

    def with_bias(self, index: Sequence[int], *sums: Products) -> list[Part]:
        """Return the sums of products, and what they and the layer's bias add up to."""
        names = [Number(symbol=part.name, value=part.result) for part in sums]
        if getattr(self.layer, "bias", None) is not None:
            written = ",".join(str(int(i)) for i in index)
            names.append(self.own_number(f"b[{written}]", "bias", index))
        if len(names) == 1:
            return [*sums]
        return [*sums, Terms(terms=names, result=sum(number.value for number in names))]

    def function(
        self, text: str, function: Callable[[Array], Array], *numbers: Number, equation: str = ""
    ) -> Explained:
        """Return a function of the one number at the unit's place, computed in float64."""
        x = self.input_number("x")
        with np.errstate(all="ignore"):
            result = float(function(np.array([x.value]))[0])
        part = Formula(text=text, numbers=[x, *numbers], result=result)
        return Explained(equation or text, [part])


Explanation = Callable[..., Explained]
EXPLANATIONS: ByClass[Explanation] = ByClass("explains", "def my_layer(layer, at)")
explains = EXPLANATIONS.register


def arithmetic(
    layer: Layer,
    inputs: Sequence[Array],
    output: Array,
    unit: Sequence[int],
    *,
    value: int = 1,
    reads: Sequence[int] | None = None,
    path: str = "",
) -> Arithmetic:
    """Return how one number of a layer's output is computed, with all numbers.

    The layer is explained as it computes in evaluation. One whose class has no entry in the
    registry (`explains`) is explained by what the unit reads alone: ``exact`` is False then.

    Parameters
    ----------
    layer : Layer
        Not a container.
    inputs : sequence of float32 arrays
        What the layer read for one image, without N.
    output : float32 array
        What it made of it, without N.
    unit : sequence of int
        The index of the number in ``output``.
    value : int
        The number of the output among the values of a network, for the reader.
    reads : sequence of int, optional
        The numbers of the inputs among the values; by default 0, 1, ...
    path : str
        The layer's path in a network.

    Raises
    ------
    ArgumentError
        If ``unit`` is not an index of ``output``.

    Examples
    --------
    >>> from pellucid import nn
    >>> layer = nn.Conv2d(1, 1, 2, weight_init=lambda shape, rng: np.ones(shape))
    >>> image = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    >>> found = arithmetic(layer, [image], layer(image[None])[0], (0, 1, 1))
    >>> found.parts[0].products.ravel().tolist(), found.parts[-1].result, found.engine
    ([4.0, 5.0, 7.0, 8.0], 24.0, 24.0)
    """
    place = require_unit(unit, output.shape)
    read = tuple(range(len(inputs))) if reads is None else tuple(int(k) for k in reads)
    at = Place(layer, inputs, output, place, read, path)
    explain = EXPLANATIONS.of(layer)
    engine = float(output[place])
    if explain is None:
        explained = Explained("y = f(x)", readings(layer, inputs, output, place, read))
    else:
        explained = explain(layer, at)
    return Arithmetic(
        value=int(value),
        path=path,
        kind=type(layer).__name__,
        repr=repr(layer),
        unit=place,
        engine=engine,
        result=explained.parts[-1].result,
        equation=explained.equation,
        symbols=explained.symbols,
        exact=explain is not None,
        parts=explained.parts,
    )


def require_unit(unit: Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of a number of an array of ``shape``, or raise."""
    given = list(unit) if isinstance(unit, list | tuple | np.ndarray) else None
    if given is not None and len(given) == len(shape):
        whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in given)
        if whole and all(0 <= k < size for k, size in zip(given, shape, strict=True)):
            return tuple(int(k) for k in given)
    letters = ", ".join("cij"[k] if len(shape) == 3 else f"k{k}" for k in range(len(shape)))
    raise ArgumentError(
        f"must be [{letters}], an index of the output of shape {tuple(shape)}, counted from 0; "
        f"received {unit!r}.",
        where="unit",
    )
