"""Layers that join inputs, or an input and one array, number by number; products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .... import nn
from ....typing import Shape
from .boxes import Box
from .explaining import Explained, Place, explains
from .parts import Factors, Number, Terms

__all__: list[str] = []

Operation = Callable[..., np.float64]
JOINED: dict[type[nn.Layer], tuple[str, Operation]] = {
    nn.Add: ("+", lambda *x: np.float64(sum(x))),
    nn.Multiply: ("×", np.multiply),
    nn.Subtract: ("−", np.subtract),
    nn.Divide: ("/", np.divide),
    nn.Maximum: ("max", lambda *x: np.maximum.reduce(x)),
    nn.Minimum: ("min", lambda *x: np.minimum.reduce(x)),
}


def joined(numbers: Sequence[Number], operator: str, operation: Operation) -> Explained:
    """Return the terms, and what the operation makes of them in float64."""
    with np.errstate(all="ignore"):
        result = float(operation(*(np.float64(number.value) for number in numbers)))
    names = [number.symbol for number in numbers]
    between = f"({', '.join(names)})" if operator in ("max", "min") else f" {operator} ".join(names)
    text = f"y = {operator}{between}" if operator in ("max", "min") else f"y = {between}"
    return Explained(text, [Terms(name=operator, terms=numbers, operator=operator, result=result)])


def repeated(unit: Sequence[int], shape: Shape) -> tuple[int, ...]:
    """Return the place in an array of ``shape`` that is broadcast to ``unit``."""
    last = unit[len(unit) - len(shape) :]
    return tuple(0 if size == 1 else int(k) for k, size in zip(last, shape, strict=True))


@explains(*JOINED)
def _join(layer: nn.Layer, at: Place) -> Explained:
    operator, operation = next(JOINED[kind] for kind in type(layer).__mro__ if kind in JOINED)
    numbers = [
        at.input_number(f"x{k + 1}", repeated(at.unit, x.shape), k) for k, x in enumerate(at.inputs)
    ]
    return joined(numbers, operator, operation)


@explains(nn.Scale)
def _scale(layer: nn.Scale, at: Place) -> Explained:
    x = at.input_number("x", repeated(at.unit, at.x.shape))
    w = at.own_number("w", "weight", repeated(at.unit, layer.shape))
    return joined([w, x], *JOINED[nn.Multiply])


@explains(nn.Shift)
def _shift(layer: nn.Shift, at: Place) -> Explained:
    x = at.input_number("x", repeated(at.unit, at.x.shape))
    b = at.own_number("b", "bias", repeated(at.unit, layer.shape))
    return joined([x, b], *JOINED[nn.Add])


@explains(nn.MatMul)
def _matmul(layer: nn.MatMul, at: Place) -> Explained:
    """Explain it as a row of the first input times a column of the second."""
    a, b = at.inputs
    *lead, i, k = at.unit
    row = Box.at((*repeated(lead, a.shape[:-2]), i, 0)).across([a.ndim - 1], a.shape)
    column = Box.at((*repeated(lead, b.shape[:-2]), 0, k)).across([b.ndim - 2], b.shape)
    products = at.products(
        row, column.numbers(b), weights_from=Factors(input=at.reads[1], box=column)
    )
    return Explained("y[i,k] = Σ a[i,j] · b[j,k]", [products], {"i": i, "k": k})
