"""The update rules: one class, formula and source each.

Everywhere ``w`` are the weights, ``g`` their gradient, ``lr`` the learning rate η and
``weight_decay`` λ. The arguments are those of PyTorch. λ is multiplied by each parameter's own
``decay``, which is 0 for the biases and norms of `pellucid.nn`: they are not decayed.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .checks import require_betas, require_decay, require_eps, require_weight_decay
from .optimizer import Optimizer

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "RMSprop"]


class L2(Optimizer):
    """Base class of rules that add the gradient of ``λ/2·‖w‖²``."""

    elementwise = True

    def decay(self, w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """Return ``g + λ·w``."""
        return g + weight_decay * w


class SGD(L2):
    """``g ← g + λ·w``; ``v ← μ·v + g``; ``w ← w - η·v``, or ``w ← w - η·(g + μ·v)`` (Nesterov).

    Without momentum (μ = 0) that is ``w ← w - η·g``, without memory. Robbins & Monro 1951;
    momentum: Polyak 1964, in the form of Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning", with η outside the velocity, so that a new rate
    takes effect at once. So no momentum correction is needed when a warm-up or a schedule changes
    η; the form with η within the velocity needs it: Goyal et al. 2017, section 3, remark 2.
    ``nesterov`` uses the gradient at the current w in place of the look-ahead point: Nesterov 1983,
    in the form of Bengio et al. 2013, "Advances in optimizing recurrent networks", section 3.5, eq.
    7. "Deep Learning from Scratch", sections 6.1.2 and 6.1.4, whose own classes are in
    `pellucid.book`.

    Examples
    --------
    >>> SGD(0.1, momentum=0.9, nesterov=True)
    SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)
    """

    elementwise = True
    batch_scaling = "linear"

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        *,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.momentum = require_decay(momentum, "momentum")
        self.nesterov = bool(nesterov)
        self.weight_decay = require_weight_decay(weight_decay)
        if nesterov and not momentum:
            raise ArgumentError(
                "needs a momentum above 0: give momentum=0.9, say.",
                where="nesterov",
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """``v``, the velocity, if there is a momentum."""
        return ("v",) if self.momentum else ()

    def update(  # type: ignore[override]
        self, w: Array, g: Array, lr: float, t: int, v: Array | None = None
    ) -> None:
        """Descend along the gradient, or along the velocity."""
        if v is None:
            w -= lr * g
            return
        v *= self.momentum
        v += g
        w -= lr * (g + self.momentum * v if self.nesterov else v)


class AdaGrad(L2):
    """``g ← g + λ·w``; ``h ← h + g²``; ``w ← w - η·g / (√h + ε)``.

    Duchi et al. 2011, "Adaptive subgradient methods", section 1.1; "Deep Learning from Scratch",
    section 6.1.5.
    """

    elementwise = True
    batch_scaling = "sqrt"
    slots = ("h",)

    def __init__(self, lr: float = 0.01, *, eps: float = 1e-7, weight_decay: float = 0.0) -> None:
        super().__init__(lr)
        self.eps = require_eps(eps)
        self.weight_decay = require_weight_decay(weight_decay)

    def update(  # type: ignore[override]
        self, w: Array, g: Array, lr: float, t: int, h: Array
    ) -> None:
        """Scale each weight's step by the sum of its squared gradients."""
        h += g * g
        w -= lr * g / (np.sqrt(h) + self.eps)


class RMSprop(L2):
    """``g ← g + λ·w``; ``h ← α·h + (1-α)·g²``; ``w ← w - η·g / (√h + ε)``.

    Tieleman & Hinton 2012, "Lecture 6.5: rmsprop".
    """

    elementwise = True
    batch_scaling = "sqrt"
    slots = ("h",)

    def __init__(
        self,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.alpha = require_decay(alpha, "alpha")
        self.eps = require_eps(eps)
        self.weight_decay = require_weight_decay(weight_decay)

    def update(  # type: ignore[override]
        self, w: Array, g: Array, lr: float, t: int, h: Array
    ) -> None:
        """Scale each weight's step by the moving average of its squared gradients."""
        h *= self.alpha
        h += (1 - self.alpha) * g * g
        w -= lr * g / (np.sqrt(h) + self.eps)


class Adam(L2):
    """``g ← g + λ·w``; ``m ← β1·m + (1-β1)·g``; ``v ← β2·v + (1-β2)·g²``; ``w ← w - η·m̂ / (√v̂ + ε)``.

    With ``m̂ = m / (1-β1^t)`` and ``v̂ = v / (1-β2^t)``. Kingma & Ba 2015, "Adam", algorithm 1.

    Examples
    --------
    >>> Adam(0.002, betas=(0.85, 0.99))
    Adam(lr=0.002, betas=(0.85, 0.99), eps=1e-08, weight_decay=0.0)
    """  # noqa: E501

    elementwise = True
    batch_scaling = "sqrt"
    slots = ("m", "v")

    def __init__(
        self,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.betas = require_betas(betas)
        self.eps = require_eps(eps)
        self.weight_decay = require_weight_decay(weight_decay)

    def update(  # type: ignore[override]
        self, w: Array, g: Array, lr: float, t: int, m: Array, v: Array
    ) -> None:
        """Descend along the mean gradient, scaled for each weight."""
        beta1, beta2 = self.betas
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        rate = lr / (1 - beta1**t)
        w -= rate * m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + self.eps)


class AdamW(Adam):
    """``w ← (1 - η·λ)·w``, then as `Adam` with λ = 0.

    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2, where the decay
    has no factor η; here it has, as in PyTorch, whose usual λ is 0.01.
    """

    elementwise = True

    def __init__(
        self,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, betas, eps, weight_decay)

    def decay(self, w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """Decay the weights, decoupled from the gradient."""
        w *= 1 - lr * weight_decay
        return g
