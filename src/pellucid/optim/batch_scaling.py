"""How the learning rate grows with the batch.

A batch that is k times as large takes a k-th of the steps of an epoch. *Linear*: the rate is
multiplied by k, so that one step does about what k steps did. Goyal et al. 2017, "Accurate, large
minibatch SGD: training ImageNet in 1 hour", section 2.1, for SGD with momentum.

*Square root*: by √k. The noise of a batch's mean gradient falls by √k, and a rule that divides by
the size of its gradients takes larger steps for it already. Krizhevsky 2014, "One weird trick for
parallelizing convolutional neural networks", section 5; for LAMB, You et al. 2020; for Adam and
RMSprop, Malladi et al. 2022, "On the SDEs and scaling rules for adaptive gradient algorithms",
which also scales their other constants; here those stay as they are.

Each rule says which of the two is usual for it: `Optimizer.batch_scaling`. Both hold up to a size
of the batch, beyond which accuracy is lost; which size depends on data and network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import ArgumentError, did_you_mean
from .checks import require_positive

__all__ = ["BATCH_SCALINGS", "scaled_rate"]

BATCH_SCALINGS: dict[str, Callable[[float], float]] = {"linear": float, "sqrt": math.sqrt}


def scaled_rate(lr: float, batch_size: int, base: int, scaling: str = "linear") -> float:
    """Return the learning rate for batches of ``batch_size``, where ``lr`` is that for ``base``.

    Parameters
    ----------
    lr : float
    batch_size, base : int
        Images of a batch, of all processes together.
    scaling : {"linear", "sqrt"}

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> scaled_rate(0.1, 1024, base=256), scaled_rate(0.001, 1024, base=256, scaling="sqrt")
    (0.4, 0.002)
    """
    if scaling not in BATCH_SCALINGS:
        raise ArgumentError(
            f"{scaling!r} is unknown. {did_you_mean(str(scaling), BATCH_SCALINGS)}", where="scaling"
        )
    ratio = require_positive(batch_size, "batch_size") / require_positive(base, "base")
    return require_positive(lr, "lr") * BATCH_SCALINGS[scaling](ratio)
