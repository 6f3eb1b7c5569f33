"""The next value of one weight under an optimizer, with the rule and its numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ....nn import Parameter
from ....optim import SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop
from ..arithmetic import Number
from ..arithmetic.parts import Record

__all__ = ["NextWeight", "next_weight", "writes_rule"]

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
class Step:
    """What a rule may write: the numbers before and after it."""

    w: float
    g: float
    lr: float
    decay: float  # λ of this weight
    t: int
    before: Mapping[str, float]
    after: Mapping[str, float]

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
    gradient: float,
    lr: float | None = None,
) -> NextWeight:
    """Return what one step of an optimizer makes of one weight; nothing is changed.

    The step is the optimizer's own, taken by a copy of it with the memory of this weight. A rule
    must treat each weight alone, as those of `pellucid.optim` do.

    Parameters
    ----------
    optimizer : Optimizer
        Fresh, or with the memory of a training.
    key : str
        The parameter's in the model.
    parameter : Parameter
    index : tuple of int
        Of the weight.
    gradient : float
    lr : float, optional
        By default the optimizer's.

    Examples
    --------
    >>> from pellucid.optim import by_name
    >>> found = next_weight(by_name("sgd", 0.1), "w", Parameter(np.array([3.0])), (0,), 2.0)
    >>> found.text, round(found.next, 6)
    ('w ← w − η · g', 2.8)
    """
    one = Parameter(np.array([parameter.data[index]]), decay=parameter.decay)
    one.grad, one.rate = np.array([gradient], one.data.dtype), parameter.rate
    own = copy.copy(optimizer)
    own.memory = {
        name: {slot: array[index].reshape(1).copy() for slot, array in slots.items()}
        for name, slots in optimizer.memory.items()
        if name == key
    }
    own.counts = {name: count for name, count in optimizer.counts.items() if name == key}
    before = dict.fromkeys(own.slots, 0.0)
    before |= {slot: float(array[0]) for slot, array in own.memory.get(key, {}).items()}
    w = float(one.data[0])
    rate = (optimizer.lr if lr is None else lr) * parameter.rate
    own.step({key: one}, lr)
    step = Step(
        w=w,
        g=float(one.grad[0]),
        lr=float(rate),
        decay=float(optimizer.weight_decay * parameter.decay),
        t=own.counts.get(key, own.t),
        before=before,
        after={slot: float(array[0]) for slot, array in own.memory.get(key, {}).items()},
    )
    if parameter.rate:
        rule = next(RULES[kind] for kind in type(optimizer).__mro__ if kind in RULES)
        lines, letters = rule(optimizer, step)
    else:
        lines, letters = ["w ← w"], {}  # frozen
    known = {"w": step.w, "g": step.g, "η": step.lr, **letters, "w′": float(one.data[0])}
    return NextWeight(
        optimizer=repr(optimizer),
        lr=step.lr,
        lines=lines,
        numbers=[Number(symbol=symbol, value=value) for symbol, value in known.items()],
        next=float(one.data[0]),
    )


def _decayed(step: Step) -> tuple[str, list[str], dict[str, float]]:
    """Return the letter of the gradient that the rule goes on with, and how it is computed."""
    if not step.decay:
        return "g", [], {}
    return "g′", ["g′ = g + λ · w"], {"λ": step.decay, "g′": step.g_decayed}


@writes_rule(Optimizer)
def _own(optimizer: Optimizer, step: Step) -> tuple[list[str], dict[str, float]]:
    """Write a rule that is not known: what it keeps, before and after."""
    letters = {"t": float(step.t)}
    for slot, value in step.after.items():
        letters |= {slot: step.before.get(slot, 0.0), f"{slot}′": value}
    return [f"w ← {type(optimizer).__name__}(w, g, η)"], letters


@writes_rule(SGD)
def _sgd(optimizer: SGD, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    if not optimizer.momentum:
        return [*lines, f"w ← w − η · {g}"], letters
    letters |= {"μ": optimizer.momentum, "v": step.before["v"], "v′": step.after["v"]}
    way = f"({g} + μ · v′)" if optimizer.nesterov else "v′"
    return [*lines, f"v′ = μ · v + {g}", f"w ← w − η · {way}"], letters


@writes_rule(AdaGrad)
def _adagrad(optimizer: AdaGrad, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    letters |= {"h": step.before["h"], "h′": step.after["h"], "ε": optimizer.eps}
    return [*lines, f"h′ = h + {g}²", f"w ← w − η · {g} / (√h′ + ε)"], letters


@writes_rule(RMSprop)
def _rmsprop(optimizer: RMSprop, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    letters |= {"α": optimizer.alpha, "h": step.before["h"], "h′": step.after["h"]}
    letters["ε"] = optimizer.eps
    return [*lines, f"h′ = α · h + (1 − α) · {g}²", f"w ← w − η · {g} / (√h′ + ε)"], letters


@writes_rule(Adam)
def _adam(optimizer: Adam, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    return [*lines, *_moments(g), "w ← w − η · m̂ / (√v̂ + ε)"], {
        **letters, **_adam_numbers(optimizer, step)
    }  # fmt: skip


@writes_rule(AdamW)
def _adamw(optimizer: AdamW, step: Step) -> tuple[list[str], dict[str, float]]:
    letters = _adam_numbers(optimizer, step)
    if not step.decay:
        return [*_moments("g"), "w ← w − η · m̂ / (√v̂ + ε)"], letters
    lines = [*_moments("g"), "w ← (1 − η · λ) · w − η · m̂ / (√v̂ + ε)"]
    return lines, {"λ": step.decay, **letters}


def _moments(g: str) -> list[str]:
    return [
        f"m′ = β₁ · m + (1 − β₁) · {g}",
        f"v′ = β₂ · v + (1 − β₂) · {g}²",
        "m̂ = m′ / (1 − β₁ᵗ)",
        "v̂ = v′ / (1 − β₂ᵗ)",
    ]


def _adam_numbers(optimizer: Adam, step: Step) -> dict[str, float]:
    beta1, beta2 = optimizer.betas
    m, v = step.after["m"], step.after["v"]
    return {
        "β₁": beta1, "β₂": beta2, "ε": optimizer.eps, "t": float(step.t),
        "m": step.before["m"], "m′": m, "v": step.before["v"], "v′": v,
        "m̂": m / (1 - beta1**step.t), "v̂": v / (1 - beta2**step.t),
        "√v̂": math.sqrt(v / (1 - beta2**step.t)),
    }  # fmt: skip
