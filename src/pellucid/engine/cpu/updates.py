"""The one place that decides which kernel takes an optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ...kernels import updates
from ...kernels.blocks import each
from ...nn import Parameter
from ...optim import SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop
from ...typing import Array

__all__ = ["update"]

FLOAT = np.dtype(np.float32)

Launch: TypeAlias = tuple[Callable[..., Any], tuple[float, ...]]

# By the class itself: a subclass has a formula of its own. Each says which kernel takes a step with
# the rate ``lr``, the ``t``-th of these weights, and with which numbers; a kernel takes those after
# the weights, the gradient, and the rule's memory in the order of its slots.
KERNELS: dict[type[Optimizer], Callable[[Any, float, int], Launch]] = {
    SGD: lambda o, lr, t: (
        (updates.momentum, (lr, o.momentum, bool(o.nesterov), o.weight_decay))
        if o.momentum
        else (updates.sgd, (lr, o.weight_decay))
    ),
    AdaGrad: lambda o, lr, t: (updates.adagrad, (lr, o.eps, o.weight_decay)),
    RMSprop: lambda o, lr, t: (updates.rmsprop, (lr, o.alpha, o.eps, o.weight_decay)),
    Adam: lambda o, lr, t: (updates.adam, (t, lr, *o.betas, o.eps, o.weight_decay, 0.0)),
    AdamW: lambda o, lr, t: (updates.adam, (t, lr, *o.betas, o.eps, 0.0, o.weight_decay)),
}


def update(
    optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
) -> None:
    """Take ``optimizer``'s step, by a kernel where there is one for its rule.

    ``lr`` is as in `Optimizer.step`. A parameter of one block or less, such as a bias, wakes no
    other thread.
    """
    optimizer.step(parameters, lr, _by_kernel if type(optimizer) in KERNELS else None)


def _by_kernel(
    optimizer: Optimizer, w: Array, g: Array, lr: float, t: int, memory: Mapping[str, Array]
) -> bool:
    """Run the kernel for this rule; return False if it cannot take these arrays."""
    kernel, constants = KERNELS[type(optimizer)](optimizer, lr, t)
    numbers = [c if isinstance(c, int) else float(c) for c in constants]  # one signature
    arrays, shape = [w, g, *[memory[slot] for slot in optimizer.slots]], w.shape
    for a in arrays:
        if a.dtype != FLOAT or a.shape != shape or not a.flags.carray:
            return False
    each(kernel, *arrays, *numbers)
    return True
