"""The one place that decides which kernel takes an optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ...kernels import updates
from ...kernels.blocks import each
from ...nn import Parameter
from ...optim import SGD, AdaGrad, Adam, AdamW, Optimizer, ParameterStep, RMSprop
from ...typing import Array
from ..flat import weights_of
from .flat_memory import together
from .layerwise import LAYERWISE

__all__ = ["update"]

FLOAT = np.dtype(np.float32)

Launch: TypeAlias = tuple[Callable[..., Any], tuple[float | updates.AdamConstants, ...]]

# By the class itself: a subclass has a formula of its own. Each says which kernel takes a step with
# the rate ``lr`` and the weight decay ``l2``, the ``t``-th of these weights, and with which
# numbers; a kernel takes those after the weights, the gradient, and the rule's memory in the order
# of its slots.
KERNELS: dict[type[Optimizer], Callable[[Any, float, int, float], Launch]] = {
    SGD: lambda o, lr, t, l2: (
        (updates.momentum, (lr, o.momentum, bool(o.nesterov), l2))
        if o.momentum
        else (updates.sgd, (lr, l2))
    ),
    AdaGrad: lambda o, lr, t, l2: (updates.adagrad, (lr, o.eps, l2)),
    RMSprop: lambda o, lr, t, l2: (updates.rmsprop, (lr, o.alpha, o.eps, l2)),
    Adam: lambda o, lr, t, l2: (updates.adam, (_adam(o, lr, t, l2, 0.0),)),
    AdamW: lambda o, lr, t, shrink: (updates.adam, (_adam(o, lr, t, 0.0, shrink),)),
}


def update(
    optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
) -> None:
    """Take ``optimizer``'s step, by a kernel where there is one for its rule.

    ``lr`` is as in `Optimizer.step`. Where a plan has left the gradients, neighbouring parameters
    of one rate, weight decay and number of steps are one launch, and what the optimizer keeps
    becomes views of one array a slot; the others are a launch each.
    """
    known = type(optimizer) in KERNELS or type(optimizer) in LAYERWISE
    optimizer.step(parameters, lr, _by_kernels if known else None)


def _by_kernels(optimizer: Optimizer, steps: list[ParameterStep]) -> list[ParameterStep]:
    """Take the steps that a kernel can take; return the others."""
    one_by_one = len(steps) < 2 or type(optimizer) in LAYERWISE
    if not one_by_one and (flat := weights_of(steps[0].parameter)) and flat.gradients:
        runs, steps = together(optimizer, steps, flat, *flat.gradients)
        for lr, t, decay, arrays in runs:
            _launch(optimizer, lr, t, decay, arrays)
    return [step for step in steps if not _alone(optimizer, step)]


def _alone(optimizer: Optimizer, step: ParameterStep) -> bool:
    """Update one parameter; return False if the kernel cannot take its arrays."""
    w = step.parameter.data
    arrays = [w, step.g, *[step.memory[slot] for slot in optimizer.slots]]
    for a in arrays:
        if a.dtype != FLOAT or a.shape != w.shape or not a.flags.carray:
            return False
    if type(optimizer) in LAYERWISE:
        LAYERWISE[type(optimizer)](optimizer, step, arrays)
    else:
        _launch(optimizer, step.lr, step.t, step.weight_decay, arrays)
    return True


def _launch(
    optimizer: Optimizer, lr: float, t: int, weight_decay: float, arrays: list[Array]
) -> None:
    kernel, constants = KERNELS[type(optimizer)](optimizer, lr, t, weight_decay)
    numbers = [c if isinstance(c, int | tuple) else float(c) for c in constants]  # one signature
    each(kernel, *arrays, *numbers)


def _adam(o: Any, lr: float, t: int, weight_decay: float, shrink: float) -> updates.AdamConstants:
    beta1, beta2 = o.betas
    return updates.AdamConstants(
        t, float(lr), float(beta1), float(beta2), float(o.eps), float(weight_decay), float(shrink)
    )
