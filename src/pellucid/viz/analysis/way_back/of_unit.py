"""The gradient of one unit: the sums that it comes from, and what it hands to its window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....nn import Layer
from ....nn.walk import Node
from ....typing import Array
from ..arithmetic import Box, Formula, Number, Products, Span, arithmetic
from ..arithmetic.parts import Part
from ..dependence import Copies, Reading, readings
from ..loss_gradients import LossGradients
from ..reach import required_unit, required_value
from ..studied import Studied
from .equations import equation_back
from .factors import weights_of
from .parts import Hand, Loss, Returned, WayBack

__all__ = ["way_back"]

# Numbers that one-hot gradients may go through for one list of products.
MOST_NUMBERS = 1 << 26


def way_back(model: Layer, back: LossGradients, value: int, unit: Sequence[int]) -> WayBack:
    """Return where the gradient of one unit comes from, and what it hands to its window.

    Parameters
    ----------
    model : Layer
    back : LossGradients
        Of `pellucid.viz.analysis.loss_gradients`, for an image and a class.
    value : int
        A value of the network: 0 is the image, k the output of its k-th node.
    unit : sequence of int
        The index of a number of it, without N.

    Raises
    ------
    ArgumentError
        If the value or the unit does not exist.

    Examples
    --------
    >>> from pellucid import nn
    >>> from pellucid.viz.analysis.loss_gradients import loss_gradients
    >>> fc = nn.Linear(2, 2)
    >>> fc.weight.data[...] = [[1, 2], [3, 4]]
    >>> x = np.zeros(2, np.float32)
    >>> model = nn.Sequential(fc)
    >>> found = way_back(model, loss_gradients(model, [x, fc(x[None])[0]], 0), 0, (1,))
    >>> found.arrives, found.parts[0].numbers.tolist(), found.parts[0].factors.tolist()
    (1.0, [-0.5, 0.5], [2.0, 4.0])
    """
    required_value(value, len(back.values))
    place = required_unit(unit, back.values[value].shape, value)
    keys = {id(p): key for key, p in model.parameters().items()}
    gradient = back.gradients[value]
    arrives = float(gradient[place])
    parts: list[Part] = list(_from_loss(back, value, place))
    for made, node in enumerate(back.nodes, 1):
        passed = made == back.output != back.scores_value  # the loss takes this softmax with it
        parts += [
            _returned(back, made, node, which, place, keys)
            for which, k in enumerate(node.reads)
            if k == value and not passed
        ]
    maker = back.nodes[value - 1] if value else None
    equations = [part.equation if isinstance(part, Returned) else part.text  # type: ignore[attr-defined]
                 for part in parts]  # fmt: skip
    several = "dx = " + " + ".join(f"dx({k})" for k in range(1, len(parts) + 1))
    return WayBack(
        value=value,
        unit=place,
        path=maker.name if maker else "",
        kind=type(maker.layer).__name__ if maker else "",
        class_=back.target,
        loss=_loss(back),
        arrives=arrives,
        map=gradient.astype(np.float32),
        equation=equations[0] if len(parts) == 1 else several if parts else "dx = 0",
        parts=parts,
        hands=_hands(back, value, maker, place, arrives, keys) if maker else (),
    )


def _loss(back: LossGradients) -> Loss:
    target = np.zeros_like(back.probabilities)
    target[back.target] = 1
    return Loss(
        value=back.scores_value,
        text="L = −ln p[t],  p = softmax(s),  dL/ds = p − t",
        result=back.loss,
        scores=back.scores.astype(np.float32),
        probabilities=back.probabilities.astype(np.float32),
        target=target.astype(np.float32),
        gradient=(back.probabilities - target).astype(np.float32),
    )


def _from_loss(back: LossGradients, value: int, unit: tuple[int, ...]) -> list[Formula]:
    """Return what the loss returns to a score or, after a softmax, to a probability."""
    if value not in (back.scores_value, back.output):
        return []
    k = int(np.ravel_multi_index(unit, back.values[value].shape))
    p, t = float(back.probabilities[k]), float(k == back.target)
    numbers = [Number(symbol=f"p[{k}]", value=p), Number(symbol=f"t[{k}]", value=t)]
    if value == back.scores_value:
        return [Formula(text="dL/ds = p − t", numbers=numbers, result=p - t, name="dL/ds")]
    with np.errstate(divide="ignore"):
        result = float(-np.float64(t) / p) if t else 0.0
    return [Formula(text="dL/dp = −t / p", numbers=numbers, result=result, name="dL/dp")]


def _returned(
    back: LossGradients,
    made: int,
    node: Node,
    which: int,
    unit: tuple[int, ...],
    keys: dict[int, str],
) -> Returned:
    """Return what the value ``made`` returns to a unit of the layer's input ``which``."""
    inputs = [back.values[k] for k in node.reads]
    dy = back.gradients[made]
    equation, symbols = equation_back(node.layer, inputs, which, unit)
    part = Returned(
        reader=made,
        path=node.name,
        kind=type(node.layer).__name__,
        equation=equation,
        input=which,
        symbols=[_keyed(number, node.layer, keys) for number in symbols],
        result=0.0,
    )
    reading = readings(node.layer, tuple(x.shape for x in inputs))[which]
    outputs, box, readers = _outputs(reading, unit, dy.shape)
    studied = Studied(node.layer, inputs)
    factors = None if readers is None else weights_of(
        node.layer, inputs[which].shape, unit, readers
    )  # fmt: skip
    weight = None if factors is None else keys.get(id(getattr(node.layer, "weight", None)))
    if factors is None:
        if studied.column_cost(len(outputs)) > MOST_NUMBERS:
            result = float(studied.back(dy)[which][unit])
            return replace(part, result=result, listed=False)
        factors = studied.column(which, unit, outputs)
    shape = (len(outputs),) if box is None else box.shape
    numbers = dy[tuple(outputs.T)].reshape(shape).astype(np.float32)
    factors = factors.reshape(shape).astype(np.float32)
    products = numbers * factors
    return replace(
        part,
        box=box,
        units=outputs.astype(np.int32) if box is None else None,
        numbers=numbers,
        factors=factors,
        products=products,
        weight=weight,
        result=float(products.sum(dtype=np.float64)),
    )


def _outputs(
    reading: Reading | Copies, unit: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[Array, Box | None, Sequence[Sequence[int]] | None]:
    """Return the outputs (n, axes) that read a unit, with their box and axes if on a grid."""
    if isinstance(reading, Copies):
        units = reading.units(unit)
        return units, Box.at(units[0]) if len(units) == 1 else None, None
    readers = reading.readers(unit)
    units = np.stack(np.meshgrid(*readers, indexing="ij"), axis=-1).reshape(-1, len(shape))
    spans = [_span(cells) for cells in readers]
    box = None if None in spans else Box(tuple(span for span in spans if span is not None))
    return units.astype(np.int64), box, readers


def _span(cells: Sequence[int]) -> Span | None:
    """Return evenly spaced cells as a span; None if they are not."""
    if len(cells) < 2:
        return Span(cells[0] if cells else 0, 1, len(cells))
    step = cells[1] - cells[0]
    even = list(cells) == list(range(cells[0], cells[-1] + 1, step))
    return Span(cells[0], step, len(cells)) if even else None


def _hands(
    back: LossGradients,
    value: int,
    maker: Node,
    unit: tuple[int, ...],
    arrives: float,
    keys: dict[int, str],
) -> list[Hand]:
    """Return what a unit hands to each of the values that its layer reads."""
    inputs = [back.values[k] for k in maker.reads]
    rows = Studied(maker.layer, inputs).row(unit)
    told = arithmetic(
        maker.layer, inputs, back.values[value], unit, value=value, reads=maker.reads
    ).parts
    found = []
    every = readings(maker.layer, tuple(x.shape for x in inputs))
    for k, x, row, reading in zip(maker.reads, inputs, rows, every, strict=True):
        window = reading.back(tuple((cell, cell) for cell in unit))
        if window is None:
            continue
        box = Box(
            tuple(
                Span(first, step if last > first else 1, (last - first) // step + 1)
                for (first, last), step in zip(window, reading.steps(), strict=True)
            )
        )
        factors = box.numbers(row)
        hand = Hand(
            input=k,
            box=box,
            numbers=box.numbers(x),
            padded=box.padded(x.shape),
            factors=factors,
            products=np.float32(arrives) * factors,
        )
        sums = [part for part in told if isinstance(part, Products) and part.weight is not None]
        if len(sums) == 1 and sums[0].box == box:
            array = getattr(maker.layer, sums[0].weight or "", None)
            hand = replace(
                hand,
                weights=sums[0].weights,
                weight=keys.get(id(array)),
                weight_index=sums[0].weight_index,
            )
        found.append(hand)
    return found


def _keyed(number: Number, layer: Layer, keys: dict[int, str]) -> Number:
    """Return a number of a layer's array with the key that the array has in the model."""
    if number.key is None:
        return number
    return replace(number, key=keys.get(id(getattr(layer, number.key)), number.key))
