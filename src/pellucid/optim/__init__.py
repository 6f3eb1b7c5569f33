"""Optimizers and schedules of their learning rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ArgumentError, did_you_mean
from ..other_names import lookup
from .batch_scaling import scaled_rate
from .clipping import clip_grad_norm
from .layerwise import LAMB, LARS
from .optimizer import Optimizer, ParameterStep
from .rules import SGD, AdaGrad, Adam, AdamW, RMSprop
from .schedules import (
    Schedule,
    as_schedule,
    cosine,
    one_cycle,
    require_share,
    schedule_by_name,
    schedule_name,
    share_done,
    steps,
)

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "ParameterStep",
    "RMSprop",
    "Schedule",
    "as_schedule",
    "by_name",
    "clip_grad_norm",
    "cosine",
    "one_cycle",
    "require_share",
    "scaled_rate",
    "schedule_by_name",
    "schedule_name",
    "share_done",
    "steps",
]

# "momentum" and "nesterov" are SGD with the usual momentum.
RULES: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "lars": LARS,
    "lamb": LAMB,
}


def by_name(name: str, lr: float | None = None) -> Optimizer:
    """Return the optimizer called ``name`` (case-insensitive), by default with its default rate.

    Raises
    ------
    ArgumentError
        If no optimizer has this name; the message suggests the nearest.

    Examples
    --------
    >>> by_name("Adam", lr=0.002)
    Adam(lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)
    >>> by_name("momentum")
    SGD(lr=0.01, momentum=0.9, nesterov=False, weight_decay=0.0)
    >>> by_name("adma")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: optimizer: 'adma' is unknown. Did you mean 'adam'? Known: adagrad, adam, adamw, lamb, lars, momentum, nesterov, rmsprop, sgd.
    """  # noqa: E501
    rule = RULES.get(name.lower())
    if rule is None:
        raise ArgumentError(f"{name!r} is unknown. {did_you_mean(name, RULES)}", where="optimizer")
    return rule() if lr is None else rule(lr=lr)


if not TYPE_CHECKING:  # or a type checker would accept every name
    __getattr__ = lookup(__name__, __all__)
