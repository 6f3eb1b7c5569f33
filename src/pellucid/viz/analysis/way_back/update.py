"""The next value of one weight under an optimizer, with the rule and its numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ....errors import ArgumentError
from ....nn import Parameter
from ....optim import Optimizer
from ....typing import Array
from ..arithmetic import Number
from ..arithmetic.parts import Record

__all__ = ["NextWeight", "Step", "next_weight", "writes_rule"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class NextWeight(Record):
    """One step of one weight.

    Attributes
    ----------
    optimizer : str
        The constructor's call.
    lr : float
        The learning rate of this weight: the optimizer's times the parameter's own.
    lines : sequence of str
        The rule, in the order of computation; memory is written with a prime once it is new.
    numbers : sequence of Number
        Of the rule's letters.
    next : float
        The weight after the step.
    """

    optimizer: str
    lr: float
    lines: Sequence[str]
    numbers: Sequence[Number]
    next: float

    @property
    def text(self) -> str:
        """The lines in one."""
        return "; ".join(self.lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, and the lines in one."""
        return {**Record.as_dict(self), "text": self.text}


@dataclass(frozen=True, slots=True)
class Whole:
    """The arrays that the step was taken with: before it, and the memory after it."""

    w: Array
    g: Array
    decay: float  # the parameter's own: a factor of λ
    after: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Step:
    """What a rule may write: the numbers before and after it."""

    w: float
    g: float
    lr: float
    decay: float  # λ of this weight
    t: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    whole: Whole  # of an element-wise rule the one weight

    @property
    def g_decayed(self) -> float:
        """The gradient with that of ``λ/2·w²``."""
        return self.g + self.decay * self.w


Rule = Callable[[Any, Step], tuple[list[str], dict[str, float]]]
RULES: dict[type[Optimizer], Rule] = {}


def writes_rule(kind: type[Optimizer]) -> Callable[[F], F]:
    """Return a decorator of the function that writes the rule of a class of optimizers.

    It gets the optimizer and a `Step`, and returns the lines and their numbers by letter, without
    w, g and η.
    """

    def registered(function: F) -> F:
        RULES[kind] = function
        return function

    return registered


def next_weight(
    optimizer: Optimizer,
    key: str,
    parameter: Parameter,
    index: tuple[int, ...],
    gradient: float | Array,
    lr: float | None = None,
) -> NextWeight:
    """Return what one step of an optimizer makes of one weight; nothing is changed.

    The step is the optimizer's own, taken by a copy of it with the memory of this weight; or of the
    whole parameter, for a rule that needs all of it (`Optimizer.elementwise`).

    Parameters
    ----------
    optimizer : Optimizer
        Fresh, or with the memory of a training.
    key : str
        The parameter's in the model.
    parameter : Parameter
    index : tuple of int
        Of the weight.
    gradient : float or array
        Of the weight; or of the parameter, which a rule needs that is not element-wise.
    lr : float, optional
        By default the optimizer's.

    Raises
    ------
    ArgumentError
        If the rule needs the gradient of the parameter, and that of the weight was given.

    Examples
    --------
    >>> from pellucid.optim import by_name
    >>> found = next_weight(by_name("sgd", 0.1), "w", Parameter(np.array([3.0])), (0,), 2.0)
    >>> found.text, round(found.next, 6)
    ('w ← w − η · g', 2.8)
    """
    cut = _one(index) if optimizer.elementwise else _all
    place = (0,) if optimizer.elementwise else index
    one = Parameter(cut(parameter.data), decay=parameter.decay)
    one.grad, one.rate = cut(_whole(optimizer, parameter, gradient)), parameter.rate
    start, own = one.data.copy(), copy.copy(optimizer)
    own.memory = {
        name: {slot: cut(array) for slot, array in slots.items()}
        for name, slots in optimizer.memory.items()
        if name == key
    }
    own.counts = {name: count for name, count in optimizer.counts.items() if name == key}
    before = dict.fromkeys(own.slots, 0.0)
    before |= {slot: float(array[place]) for slot, array in own.memory.get(key, {}).items()}
    w = float(one.data[place])
    rate = (optimizer.lr if lr is None else lr) * parameter.rate
    own.step({key: one}, lr)
    after = own.memory.get(key, {})
    step = Step(
        w=w,
        g=float(one.grad[place]),
        lr=float(rate),
        decay=float(optimizer.weight_decay * parameter.decay),
        t=own.counts.get(key, own.t),
        before=before,
        after={slot: float(array[place]) for slot, array in after.items()},
        whole=Whole(start, one.grad, parameter.decay, after),
    )
    if parameter.rate:
        rule = next(RULES[kind] for kind in type(optimizer).__mro__ if kind in RULES)
        lines, letters = rule(optimizer, step)
    else:
        lines, letters = ["w ← w"], {}  # frozen
    step_to = float(one.data[place])
    known = {"w": step.w, "g": step.g, "η": step.lr, **letters, "w′": step_to}
    return NextWeight(
        optimizer=repr(optimizer),
        lr=step.lr,
        lines=lines,
        numbers=[Number(symbol=symbol, value=value) for symbol, value in known.items()],
        next=step_to,
    )


def _whole(optimizer: Optimizer, parameter: Parameter, gradient: float | Array) -> Array:
    """Return the gradient of the whole parameter; of an element-wise rule one may stand for all."""
    g, shape = np.asarray(gradient, parameter.data.dtype), parameter.data.shape
    if g.ndim == 0 and optimizer.elementwise:
        return np.broadcast_to(g, shape)
    if g.size != parameter.data.size:
        raise ArgumentError(
            f"must be that of the whole parameter, of shape {shape}: {type(optimizer).__name__} "
            f"needs all of it. Received shape {g.shape}.",
            where="gradient",
        )
    return g.reshape(shape)


def _one(index: tuple[int, ...]) -> Callable[[Array], Array]:
    """Return a function that copies the number at ``index`` out of an array."""
    return lambda array: np.array([array[index]])


def _all(array: Array) -> Array:
    """Return a copy of an array."""
    return np.array(array)
