"""LARS and LAMB: the step of each layer is in proportion to the norm of its weights.

One rate for all layers is limited by the layer whose gradient is largest beside its weights, and
large batches need high rates. Here the rate of each parameter is multiplied by a *trust ratio* of
norms over the whole parameter, so that all layers change by about the same fraction per step.

Parameters whose own ``decay`` is 0, the biases and norms of `pellucid.nn`, are neither decayed nor
adapted: their trust ratio is 1, as in Grill et al. 2020, "Bootstrap your own latent",
implementation details. It is 1 too where a norm is 0, or weights that begin at 0 would stay there.

In the equations η is the learning rate, λ the weight decay, and q the trust ratio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..typing import Array
from .checks import (
    require_betas,
    require_decay,
    require_eps,
    require_positive,
    require_weight_decay,
)
from .optimizer import Optimizer, ParameterStep

__all__ = ["LAMB", "LARS", "adapts", "trust_ratio"]


class LARS(Optimizer):
    """``q = c·‖w‖ / (‖g‖ + λ·‖w‖)``; ``v ← μ·v + η·q·(g + λ·w)``; ``w ← w - v``.

    You, Gitman & Ginsburg 2017, "Large batch training of convolutional networks", algorithm 1 and
    eq. 6: c is the paper's η, and η its γ. The rate is within the velocity, as there; `SGD` has it
    outside. Rates are higher than those of SGD: with the usual c = 0.001, a rate of 1 lets a step
    change a weight by a thousandth.

    Parameters
    ----------
    lr : float
    momentum : float
        μ.
    trust_coefficient : float
        c, how much of its weights' norm a layer may move in one step, times the rate.
    weight_decay : float

    Examples
    --------
    >>> from pellucid.nn import Parameter
    >>> p, rule = Parameter(np.array([3.0, 4.0])), LARS(lr=1.0, trust_coefficient=0.1)
    >>> p.grad = np.array([0.0, 100.0])
    >>> rule.step({"w": p})
    >>> p.data  # the norm was 5: moved by 0.5, however large the gradient
    array([3. , 3.5])
    """

    elementwise = False
    batch_scaling = "linear"
    slots = ("v",)

    def __init__(
        self,
        lr: float = 1.0,
        momentum: float = 0.9,
        *,
        trust_coefficient: float = 0.001,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.momentum = require_decay(momentum, "momentum")
        self.trust_coefficient = require_positive(trust_coefficient, "trust_coefficient")
        self.weight_decay = require_weight_decay(weight_decay)

    def trust(self, of_weights: float, of_gradient: float, weight_decay: float) -> float:
        """Return q, from the norms of the weights and of their gradient."""
        ratio = trust_ratio(of_weights, of_gradient, weight_decay * of_weights)
        return 1.0 if ratio is None else self.trust_coefficient * ratio

    def take(self, step: ParameterStep) -> None:
        """Scale the rate by the trust ratio, and descend along the velocity."""
        w, g, decay = step.parameter.data, step.g, step.weight_decay
        q = self.trust(_norm(w), _norm(g), decay) if adapts(step) else 1.0
        self.update(w, g + decay * w, step.lr * q, step.t, **step.memory)

    def update(  # type: ignore[override]
        self, w: Array, g: Array, lr: float, t: int, v: Array
    ) -> None:
        """Descend along the velocity, at a rate and along a gradient as `take` gives them."""
        v *= self.momentum
        v += lr * g
        w -= v


class LAMB(Optimizer):
    """``r = m̂ / (√v̂ + ε)``; ``u = r + λ·w``; ``q = ‖w‖ / ‖u‖``; ``w ← w - η·q·u``.

    With m̂ and v̂ as in `Adam`. You et al. 2020, "Large batch optimization for deep learning:
    training BERT in 76 minutes", algorithm 2; its φ is the identity here.

    Examples
    --------
    >>> LAMB(0.01)
    LAMB(lr=0.01, betas=(0.9, 0.999), eps=1e-06, weight_decay=0.0)
    """

    elementwise = False
    batch_scaling = "sqrt"
    slots = ("m", "v")

    def __init__(
        self,
        lr: float = 0.003,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.betas = require_betas(betas)
        self.eps = require_eps(eps)
        self.weight_decay = require_weight_decay(weight_decay)

    def trust(self, of_weights: float, of_update: float) -> float:
        """Return q, from the norms of the weights and of their update."""
        ratio = trust_ratio(of_weights, of_update)
        return 1.0 if ratio is None else ratio

    def take(self, step: ParameterStep) -> None:
        """Scale the step of Adam, with the decay, by the trust ratio."""
        w, (beta1, beta2), m, v = (
            step.parameter.data,
            self.betas,
            step.memory["m"],
            step.memory["v"],
        )
        m += (1 - beta1) * (step.g - m)
        v += (1 - beta2) * (step.g * step.g - v)
        u = self.direction(step.memory, step.t) + step.weight_decay * w
        q = self.trust(_norm(w), _norm(u)) if adapts(step) else 1.0
        w -= step.lr * q * u

    def direction(self, memory: Mapping[str, Array], t: int) -> Array:
        """Return r, from the moments m and v after step t."""
        beta1, beta2 = self.betas
        mean = memory["m"] / (1 - beta1**t)
        r: Array = mean / (np.sqrt(memory["v"]) / math.sqrt(1 - beta2**t) + self.eps)
        return r


def adapts(step: ParameterStep) -> bool:
    """Return whether the rate of a parameter is multiplied by its trust ratio."""
    return step.parameter.decay != 0


def trust_ratio(of_weights: float, *of_update: float) -> float | None:
    """Return the norm of the weights over the sum of the others; None if either is 0."""
    below = sum(of_update)
    return None if of_weights == 0 or below == 0 else of_weights / below


def _norm(a: Array) -> float:
    return math.sqrt(float(np.square(a, dtype=np.float64).sum()))
