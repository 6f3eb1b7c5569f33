"""The gradient of one weight as a sum over the windows it is used in, and its next value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .... import nn
from ....errors import ArgumentError, did_you_mean
from ....nn import Layer, Parameter
from ....nn.by_class import ByClass
from ....optim import Optimizer
from ....shapes import shape_text
from ....typing import Array
from ..arithmetic.parts import Record
from ..loss_gradients import LossGradients
from ..studied import copied
from .update import NextWeight, next_weight

__all__ = ["WeightStep", "sums_up", "weight_step"]

MOST_LISTED = 4096  # terms of one gradient
STEP = 2.0**-13  # of a weight, for the slope where no sum is registered


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms that the gradient of a weight is the sum of, in the order of positions.

    Attributes
    ----------
    equation : str
    units : integer array (n, axes)
        The units of the layer's output that the weight takes part in.
    x : array (n,)
        What it is multiplied by there: ``∂y/∂w``.
    padded : bool array (n,) or None
        Where that is padding.
    """

    equation: str
    units: Array
    x: Array
    padded: Array | None = None


Sum: TypeAlias = Callable[..., Terms]
_BY_CLASS: ByClass[Sum] = ByClass("sums_up", "def my_layer(layer, name, index, inputs, output)")
#: A decorator, ``@sums_up(MyLayer)``, of a function that returns the `Terms` of a weight.
sums_up = _BY_CLASS.register


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStep(Record):
    """The gradient of one weight and its next value; see `weight_step`.

    Attributes
    ----------
    key : str
    index : sequence of int
    number, gradient : float
        The weight, and ``∂L/∂w`` for this image.
    path, kind, equation : str
    value : int
        That the layer makes.
    inputs : sequence of int
        The values that it reads.
    total : int
        Terms of the sum.
    at : int32 array (n, axes)
        For up to 4096 of them, the first: the unit of ``value``.
    dy, x, products : float32 arrays (n,)
        Its gradient, what the weight is multiplied by there, and the product.
    padded : bool array (n,) or None
        Where x is padding.
    rest : float
        The sum of those that are not listed.
    update : NextWeight
    """

    key: str
    index: Sequence[int]
    number: float
    gradient: float
    path: str
    kind: str
    equation: str
    value: int
    inputs: Sequence[int]
    total: int
    at: Array
    dy: Array
    x: Array
    products: Array
    padded: Array | None
    rest: float
    update: NextWeight

    def as_dict(self) -> dict[str, Any]:
        """Return the fields; what belongs to the sum under ``windows``."""
        told = Record.as_dict(self)
        listed = {name: told.pop(name) for name in ("at", "dy", "x", "products", "padded")}
        windows = {name: told.pop(name) for name in ("value", "inputs", "total", "rest")}
        return {**told, "windows": {**windows, "input": windows["inputs"][0], "listed": listed}}


def weight_step(
    model: Layer,
    back: LossGradients,
    key: str,
    index: Sequence[int],
    optimizer: Optimizer,
    lr: float | None = None,
) -> WeightStep:
    """Return the terms that the gradient of one weight is the sum of, and its next value.

    Parameters
    ----------
    model : Layer
    back : LossGradients
        Of one image: the gradient of a batch is the mean over its images.
    key : str
        Of a parameter of the model, as ``conv1.weight``.
    index : sequence of int
        Of a number of it.
    optimizer : Optimizer
        Whose next step is shown; it is not changed.
    lr : float, optional
        By default the optimizer's.

    Raises
    ------
    ArgumentError
        If the parameter or the number does not exist.

    Examples
    --------
    >>> from pellucid import optim
    >>> from pellucid.viz.analysis.loss_gradients import loss_gradients
    >>> fc = nn.Linear(2, 2, bias=False)
    >>> model, x = nn.Sequential(fc), np.array([2, 4], np.float32)
    >>> fc.weight.data[...] = 0
    >>> back = loss_gradients(model, [x, fc(x[None])[0]], 0)
    >>> found = weight_step(model, back, "0.weight", (1, 1), optim.SGD(0.1))
    >>> found.gradient, found.dy.tolist(), found.x.tolist(), round(found.update.next, 6)
    (2.0, [0.5], [4.0], -0.2)
    """
    parameters = model.parameters()
    if key not in parameters:
        raise ArgumentError(
            f"the model has no parameter {key!r}. {did_you_mean(key, parameters)}", where="key"
        )
    parameter = parameters[key]
    place = _required(index, parameter, key)
    made, name = back.owners[key]
    node = back.nodes[made - 1]
    inputs, output = [back.values[k] for k in node.reads], back.values[made]
    write = _BY_CLASS.of(node.layer)
    terms = None if write is None else write(node.layer, name, place, inputs, output)
    if terms is None:
        terms = _slopes(node.layer, name, place, inputs)
    dy = back.gradients[made][tuple(terms.units.T)].astype(np.float32)
    x = terms.x.astype(np.float32)
    products = dy * x
    listed = slice(0, MOST_LISTED)
    gradients = back.weight(key)
    return WeightStep(
        key=key,
        index=place,
        number=float(parameter.data[place]),
        gradient=float(gradients[place]),
        path=node.name,
        kind=type(node.layer).__name__,
        equation=terms.equation,
        value=made,
        inputs=node.reads,
        total=len(x),
        at=terms.units[listed].astype(np.int32),
        dy=dy[listed],
        x=x[listed],
        products=products[listed],
        padded=None if terms.padded is None else terms.padded[listed],
        rest=float(products[MOST_LISTED:].sum(dtype=np.float64)),
        update=next_weight(optimizer, key, parameter, place, gradients, lr),
    )


def _required(index: Sequence[int], parameter: Parameter, key: str) -> tuple[int, ...]:
    shape, given = parameter.data.shape, tuple(index)
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in given)
    near = zip(given, shape, strict=False)
    if len(given) == len(shape) and whole and all(0 <= k < size for k, size in near):
        return tuple(int(k) for k in given)
    raise ArgumentError(
        f"must be {len(shape)} integers from 0, below {shape_text(shape)}, the shape of {key!r}; "
        f"received {list(index)!r}.",
        where="index",
    )


@sums_up(nn.Conv2d)
def _conv(
    layer: nn.Conv2d, name: str, index: tuple[int, ...], inputs: Sequence[Array], output: Array
) -> Terms:
    """Return one term for each window of the filter."""
    o, (image,) = index[0], inputs
    _, h, w = output.shape
    units = np.stack(np.meshgrid([o], range(h), range(w), indexing="ij"), axis=-1).reshape(-1, 3)
    if name == "bias":
        return Terms(equation="db[o] = Σ dy[o,i,j]", units=units, x=np.ones(h * w))
    _, c, *cell = index
    windows, depth = layer.windows(image.shape), layer.in_channels // layer.groups
    channel = o // (layer.out_channels // layer.groups) * depth + c
    rows, columns = (
        windows.stride[a] * units[:, 1 + a] + windows.dilation[a] * cell[a] - windows.padding[a][0]
        for a in (0, 1)
    )
    inside = (rows >= 0) & (rows < image.shape[1]) & (columns >= 0) & (columns < image.shape[2])
    x = np.zeros(len(units), image.dtype)
    x[inside] = image[channel, rows[inside], columns[inside]]
    return Terms(
        equation="dw[o,c,u,v] = Σ dy[o,i,j] · x[c, s·i + d·u − p, s·j + d·v − p]",
        units=units,
        x=x,
        padded=None if inside.all() else ~inside,
    )


@sums_up(nn.Linear)
def _linear(
    layer: nn.Linear, name: str, index: tuple[int, ...], inputs: Sequence[Array], output: Array
) -> Terms:
    """Return one term; for rows of numbers, one for each row."""
    units = np.argwhere(np.ones(output.shape[:-1], bool))
    units = np.column_stack([units, np.full(len(units), index[0])]).astype(np.int64)
    if name == "bias":
        return Terms(equation="db[o] = dy[o]", units=units, x=np.ones(len(units)))
    x = inputs[0][..., index[1]].reshape(-1)
    return Terms(equation="dw[o,k] = dy[o] · x[k]", units=units, x=x)


def _slopes(layer: Layer, name: str, index: tuple[int, ...], inputs: Sequence[Array]) -> Terms:
    """Return the terms of any layer's weight: the slope of each output over it, by differences.

    Exact but for rounding where the output is linear in the weight, as in norms and scales: it is
    what the weight is multiplied by. In float64, by a copy of the layer.
    """
    twin = copied(layer).astype(np.float64)
    weight = twin.parameters()[name]
    step = STEP * max(1.0, abs(float(weight.data[index])))
    images = [x[None].astype(np.float64) for x in inputs]
    start = float(weight.data[index])
    outputs = []
    for moved in (start + step, start - step):
        weight.data[index] = moved
        outputs.append(np.array(twin.forward(*images)[0]))
    slope = (outputs[0] - outputs[1]) / (2 * step)
    units = np.argwhere(slope != 0)
    return Terms(equation="dw = Σ dy · ∂y/∂w", units=units, x=slope[tuple(units.T)])
