"""The one place that decides which kernel takes an optimizer's step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..kernels import elementwise
from ..nn import Parameter
from ..optim import SGD, Adam, Momentum, Optimizer
from ..typing import Array

__all__ = ["update"]


def update(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> None:
    """Take ``optimizer``'s step, by a kernel where there is one for its rule."""
    optimizer.step(parameters, _by_kernel)


def _by_kernel(optimizer: Optimizer, w: Array, g: Array, memory: Mapping[str, Array]) -> bool:
    """Run the kernel for this rule and array; return False if there is none."""
    arrays = [w, g, *memory.values()]
    if any(a.dtype != np.float32 or not a.flags.c_contiguous for a in arrays):
        return False
    w, g = w.reshape(w.size), g.reshape(g.size)
    slots = {name: a.reshape(a.size) for name, a in memory.items()}
    if type(optimizer) is Adam:
        constants = (optimizer.t, optimizer.lr, optimizer.beta1, optimizer.beta2, optimizer.eps)
        elementwise.adam(w, g, slots["m"], slots["v"], *constants)
    elif type(optimizer) is Momentum:
        elementwise.momentum(w, g, slots["v"], optimizer.lr, optimizer.momentum)
    elif type(optimizer) is SGD:
        elementwise.sgd(w, g, optimizer.lr)
    else:
        return False
    return True
