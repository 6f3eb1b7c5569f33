"""The update rules: one class, one formula, one source each.

Everywhere ``w`` are the weights, ``g`` their gradient, ``lr`` the learning rate η.
"""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array
from .checks import require_decay, require_eps
from .optimizer import Optimizer

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "RMSprop"]


class SGD(Optimizer):
    """``w ← w - η·g``.

    Robbins & Monro 1951; "Deep Learning from Scratch", section 6.1.2.
    """

    def update(self, w: Array, g: Array) -> None:  # type: ignore[override]
        """Walk down the gradient."""
        w -= self.lr * g


class Momentum(Optimizer):
    """``v ← α·v - η·g``; ``w ← w + v``.

    Polyak 1964; "Deep Learning from Scratch", section 6.1.4.
    """

    slots = ("v",)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = require_decay(momentum, "momentum")

    def update(self, w: Array, g: Array, v: Array) -> None:  # type: ignore[override]
        """Roll down with inertia."""
        v *= self.momentum
        v -= self.lr * g
        w += v


class Nesterov(Optimizer):
    """``v ← α·v - η·g``; ``w ← w + α·v - η·g``.

    The gradient is taken at the present w, which stands for the point looked ahead to: Nesterov
    1983, in the form of Bengio et al. 2013, "Advances in optimizing recurrent networks", section
    3.5, eq. 7.
    """

    slots = ("v",)

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = require_decay(momentum, "momentum")

    def update(self, w: Array, g: Array, v: Array) -> None:  # type: ignore[override]
        """Roll down, and correct by where the roll will lead."""
        v *= self.momentum
        v -= self.lr * g
        w += self.momentum * v - self.lr * g


class AdaGrad(Optimizer):
    """``h ← h + g²``; ``w ← w - η·g / (√h + ε)``.

    Duchi et al. 2011, "Adaptive subgradient methods", section 1.1; "Deep Learning from Scratch",
    section 6.1.5.
    """

    slots = ("h",)

    def __init__(self, lr: float = 0.01, eps: float = 1e-7) -> None:
        super().__init__(lr)
        self.eps = require_eps(eps)

    def update(self, w: Array, g: Array, h: Array) -> None:  # type: ignore[override]
        """Slow down each weight by all the gradients it has seen."""
        h += g * g
        w -= self.lr * g / (np.sqrt(h) + self.eps)


class RMSprop(Optimizer):
    """``h ← ρ·h + (1-ρ)·g²``; ``w ← w - η·g / (√h + ε)``.

    Tieleman & Hinton 2012, "Lecture 6.5: rmsprop".
    """

    slots = ("h",)

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99, eps: float = 1e-7) -> None:
        super().__init__(lr)
        self.decay_rate = require_decay(decay_rate, "decay_rate")
        self.eps = require_eps(eps)

    def update(self, w: Array, g: Array, h: Array) -> None:  # type: ignore[override]
        """Slow down each weight by the gradients it has seen lately."""
        h *= self.decay_rate
        h += (1 - self.decay_rate) * g * g
        w -= self.lr * g / (np.sqrt(h) + self.eps)


class Adam(Optimizer):
    """``m ← β1·m + (1-β1)·g``; ``v ← β2·v + (1-β2)·g²``; ``w ← w - η·m̂ / (√v̂ + ε)``.

    With ``m̂ = m / (1-β1^t)`` and ``v̂ = v / (1-β2^t)``. Kingma & Ba 2015, "Adam", algorithm 1.
    """

    slots = ("m", "v")

    def __init__(
        self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__(lr)
        self.beta1 = require_decay(beta1, "beta1")
        self.beta2 = require_decay(beta2, "beta2")
        self.eps = require_eps(eps)

    def update(self, w: Array, g: Array, m: Array, v: Array) -> None:  # type: ignore[override]
        """Roll down with inertia, each weight at its own pace."""
        m += (1 - self.beta1) * (g - m)
        v += (1 - self.beta2) * (g * g - v)
        rate = self.lr / (1 - self.beta1**self.t)
        w -= rate * m / (np.sqrt(v) / math.sqrt(1 - self.beta2**self.t) + self.eps)


class AdamW(Adam):
    """``w ← (1 - η·λ)·w``, then as `Adam`.

    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2, where the decay
    has no η; with it, as in PyTorch, the usual λ of 0.01 is meant.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps)
        self.weight_decay = require_decay(weight_decay, "weight_decay")

    def update(self, w: Array, g: Array, m: Array, v: Array) -> None:  # type: ignore[override]
        """Shrink the weights a little, apart from the gradient."""
        w *= 1 - self.lr * self.weight_decay
        super().update(w, g, m, v)
