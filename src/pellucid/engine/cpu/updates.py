"""The one place that decides which kernel takes an optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...kernels import updates
from ...kernels.blocks import each
from ...nn import Parameter
from ...optim import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop
from ...typing import Array

__all__ = ["update"]

FLOAT = np.dtype(np.float32)

# By the class itself: a subclass has a formula of its own. The kernels take, behind the weights and
# the gradient, what the rule remembers, in the order of its slots, and these constants.
KERNELS: dict[type[Optimizer], tuple[Callable[..., Any], Callable[[Any], tuple[float, ...]]]] = {
    SGD: (updates.sgd, lambda o: (o.lr,)),
    Momentum: (updates.momentum, lambda o: (o.lr, o.momentum)),
    Nesterov: (updates.nesterov, lambda o: (o.lr, o.momentum)),
    AdaGrad: (updates.adagrad, lambda o: (o.lr, o.eps)),
    RMSprop: (updates.rmsprop, lambda o: (o.lr, o.decay_rate, o.eps)),
    Adam: (updates.adam, lambda o: (o.t, o.lr, o.beta1, o.beta2, o.eps, 0.0)),
    AdamW: (updates.adam, lambda o: (o.t, o.lr, o.beta1, o.beta2, o.eps, o.weight_decay)),
}


def update(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> None:
    """Take ``optimizer``'s step, by a kernel where there is one for its rule.

    A parameter that is one block or less, such as a bias, wakes no other thread.
    """
    optimizer.step(parameters, _by_kernel if type(optimizer) in KERNELS else None)


def _by_kernel(optimizer: Optimizer, w: Array, g: Array, memory: Mapping[str, Array]) -> bool:
    """Run the kernel for this rule; return False if it cannot take these arrays."""
    kernel, constants = KERNELS[type(optimizer)]
    numbers = [c if type(c) is int else float(c) for c in constants(optimizer)]  # one signature
    arrays, shape = [w, g, *[memory[slot] for slot in optimizer.slots]], w.shape
    for a in arrays:
        if a.dtype != FLOAT or a.shape != shape or not a.flags.carray:
            return False
    each(kernel, *arrays, *numbers)
    return True
