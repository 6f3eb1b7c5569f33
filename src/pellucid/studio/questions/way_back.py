"""The way back: the gradient of a unit, and of a weight with its next value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import ArgumentError
from ...optim import RULES, by_name
from ...viz.analysis.loss_gradients import LossGradients, loss_gradients
from ...viz.analysis.way_back import WeightStep, weight_step
from ...viz.analysis.way_back import way_back as of_unit
from ..opened import Opened
from ..registry import Report, question
from ..remembered import Remembered

__all__ = ["way_back", "weight"]

T = TypeVar("T")
_BACK = Remembered(2)  # images and classes whose gradients are kept


@question("way_back", scores=True)
def way_back(
    opened: Opened,
    *,
    image: str,
    value: int,
    unit: list[int],
    class_: int | None = None,
    report: Report,
) -> dict[str, Any]:
    """Return where the gradient of a unit comes from and what it hands to its window.

    That of the loss of this image for ``class_``, by default the class that the network names.
    `pellucid.viz.analysis.way_back.way_back` says what is in the answer.
    """
    place = opened.require_unit(value, unit)
    return _steady(
        opened,
        lambda: of_unit(opened.model, gradients(opened, image, class_, report), value, place),
    ).as_dict()


@question("weight", scores=True)
def weight(
    opened: Opened,
    *,
    image: str,
    key: str,
    index: list[int],
    value: int | None = None,
    class_: int | None = None,
    optimizer: str | None = None,
    lr: float | None = None,
    report: Report,
) -> dict[str, Any]:
    """Return the terms of a weight's gradient, and what one step of an optimizer makes of it.

    ``optimizer`` is a name of `pellucid.optim.by_name`, before its first step; or "live", that of
    the training that goes on, with its memory, which is the default where there is one. ``lr`` is
    its usual rate by default. ``value`` may name the value of the layer, as a check.
    """
    live = opened.optimizer is not None
    name = optimizer or ("live" if live else "sgd")
    known = [*(["live"] if live else []), *RULES]

    def step() -> WeightStep:
        own = opened.optimizer if name == "live" else None
        rule = own or by_name(name, lr)
        found = gradients(opened, image, class_, report)
        return weight_step(opened.model, found, key, index, rule, lr)

    found = _steady(opened, step)
    if value is not None and value != found.value:
        raise ArgumentError(
            f"{key!r} belongs to the layer that makes value {found.value}, not {value}.",
            where="value",
        )
    return {**found.as_dict(), "training": name == "live", "optimizer": name, "optimizers": known}


def gradients(
    opened: Opened, image: str, class_: int | None, report: Report | None = None
) -> LossGradients:
    """Return the gradients of the loss of an image for a class, kept."""

    def made() -> LossGradients:
        values = opened.values(image)
        target = int(values[opened.output].argmax()) if class_ is None else class_
        return loss_gradients(opened.model, values, target, output=opened.output, on_node=report)

    return _BACK.of(opened, (image, class_), made)


def _steady(opened: Opened, compute: Callable[[], T]) -> T:
    """Return what is computed with weights that do not change meanwhile.

    Large networks take seconds: quick questions do not wait for them, unless the weights have
    changed; then it is computed once more, and they stay until it is.
    """
    version = opened.version
    found = compute()
    with opened.lock:
        return found if opened.version == version else compute()
