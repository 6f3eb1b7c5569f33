"""The book's `common.optimizer`: update rules for dicts of parameters and gradients.

Arrays are updated in place, as the layers refer to them; plain numbers are replaced in the dict.
The memory of a rule (``v``, ``h``, ``m``) is created at the first update, in the dtype of the
gradients, which is float32 if they come from our layers. Every parameter must have a gradient;
section 6.1 of the book has the formulas.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias

import numpy as np

from ...kernels.blocks import each
from ...kernels.book import updates
from ..settings import settings

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "np"]

Values: TypeAlias = MutableMapping[str, Any]
OUTSIDE = updates.OUTSIDE
WORTH = 1000  # numbers: NumPy is as fast for fewer
FLOATS = (np.float32, np.float64)


class _Rule:
    """Base class: the memory of a rule, and the choice between its kernel and plain NumPy."""

    slots: tuple[str, ...] = ()
    kernel: Callable[..., Any]

    def __init__(self) -> None:
        for slot in self.slots:
            setattr(self, slot, None)

    def update(self, params: Values, grads: Values) -> None:
        """Update every parameter in place by its gradient."""
        for slot in self.slots:
            if getattr(self, slot) is None:
                setattr(self, slot, {key: _memory(params[key], grads[key]) for key in params})
        self._begin()
        for key in params:
            w, g = params[key], grads[key]
            remembered = [getattr(self, slot)[key] for slot in self.slots]
            if _fit(w, g, *remembered):
                each(type(self).kernel, w, g, *remembered, *self._constants())
            else:
                self._step(params, key, g)

    def _begin(self) -> None:
        """Prepare a step of all parameters."""

    def _constants(self) -> tuple[Any, ...]:
        """Return the arguments of the kernel after its arrays."""
        raise NotImplementedError

    def _step(self, params: Values, key: str, g: Any) -> None:
        """Update one parameter by NumPy: a number, or an array of any dtype."""
        raise NotImplementedError


class SGD(_Rule):
    """``w ← w - lr · g``.

    Examples
    --------
    >>> params = {"x": np.array([1.0]), "y": 2.0}
    >>> SGD(lr=0.1).update(params, {"x": np.array([5.0]), "y": 10.0})
    >>> params
    {'x': array([0.5]), 'y': 1.0}
    """

    kernel = updates.sgd

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _constants(self) -> tuple[Any, ...]:
        return (float(self.lr),)

    def _step(self, params: Values, key: str, g: Any) -> None:
        params[key] -= self.lr * g


class Momentum(_Rule):
    """``v ← momentum · v - lr · g``; ``w ← w + v``.

    Examples
    --------
    >>> rule, params = Momentum(lr=1.0, momentum=0.5), {"x": np.array([8.0])}
    >>> for _ in range(2):
    ...     rule.update(params, {"x": np.array([2.0])})
    >>> params["x"], rule.v["x"]
    (array([3.]), array([-3.]))
    """

    slots = ("v",)
    kernel = updates.momentum
    v: Any

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def _constants(self) -> tuple[Any, ...]:
        return float(self.lr), float(self.momentum)

    def _step(self, params: Values, key: str, g: Any) -> None:
        self.v[key] = self.momentum * self.v[key] - self.lr * g
        params[key] += self.v[key]


class Nesterov(Momentum):
    """``w ← w + momentum² · v - (1 + momentum) · lr · g``; ``v ← momentum · v - lr · g``.

    One of the book's editions updates ``v`` first, as does `settings.velocity_first`, unless the
    run is strict. But the formula needs the old ``v`` (Bengio et al. 2012, "Advances in optimizing
    recurrent networks", equation 7).

    Examples
    --------
    >>> rule, params = Nesterov(lr=1.0, momentum=0.5), {"x": np.array([8.0])}
    >>> rule.update(params, {"x": np.array([2.0])})
    >>> params["x"], rule.v["x"]
    (array([5.]), array([-2.]))
    """

    kernel = updates.nesterov

    def _constants(self) -> tuple[Any, ...]:
        return *super()._constants(), _velocity_first()

    def _step(self, params: Values, key: str, g: Any) -> None:
        before = self.v[key]
        self.v[key] = after = self.momentum * before - self.lr * g
        v = after if _velocity_first() else before
        params[key] += self.momentum * self.momentum * v - (1 + self.momentum) * self.lr * g


class AdaGrad(_Rule):
    """``h ← h + g²``; ``w ← w - lr · g / (√h + 1e-7)``.

    Examples
    --------
    >>> params = {"x": np.array([1.0])}
    >>> AdaGrad(lr=0.5).update(params, {"x": np.array([10.0])})
    >>> params["x"].round(6)
    array([0.5])
    """

    slots = ("h",)
    kernel = updates.adagrad
    h: Any

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def _constants(self) -> tuple[Any, ...]:
        return (float(self.lr),)

    def _step(self, params: Values, key: str, g: Any) -> None:
        self.h[key] = self.h[key] + g * g
        params[key] -= self.lr * g / (np.sqrt(self.h[key]) + OUTSIDE)


class RMSprop(_Rule):
    """``h ← decay_rate · h + (1 - decay_rate) · g²``; ``w ← w - lr · g / (√h + 1e-7)``.

    Examples
    --------
    >>> params = {"x": np.array([1.0])}
    >>> RMSprop(lr=0.05, decay_rate=0.99).update(params, {"x": np.array([10.0])})
    >>> params["x"].round(6)
    array([0.5])
    """

    slots = ("h",)
    kernel = updates.rmsprop
    h: Any

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__()
        self.lr, self.decay_rate = lr, decay_rate

    def _constants(self) -> tuple[Any, ...]:
        return float(self.lr), float(self.decay_rate)

    def _step(self, params: Values, key: str, g: Any) -> None:
        self.h[key] = self.decay_rate * self.h[key] + (1 - self.decay_rate) * g * g
        params[key] -= self.lr * g / (np.sqrt(self.h[key]) + OUTSIDE)


class Adam(_Rule):
    """Moving averages of the gradient and its square, with the bias corrections in the rate.

    ``m ← m + (1 - beta1) · (g - m)``; ``v ← v + (1 - beta2) · (g² - v)``;
    ``w ← w - lr · √(1 - beta2^t) / (1 - beta1^t) · m / (√v + 1e-7)`` (Kingma & Ba 2015, end of
    section 2, except for the constant).

    Examples
    --------
    >>> rule, params = Adam(lr=0.5), {"x": np.array([1.0])}
    >>> rule.update(params, {"x": np.array([10.0])})
    >>> params["x"].round(5), rule.iter
    (array([0.5]), 1)
    """

    slots = ("m", "v")
    kernel = updates.adam
    m: Any
    v: Any

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__()
        self.lr, self.beta1, self.beta2, self.iter = lr, beta1, beta2, 0

    def _begin(self) -> None:
        self.iter += 1

    def _rate(self) -> float:
        corrections = np.sqrt(1.0 - self.beta2**self.iter) / (1.0 - self.beta1**self.iter)
        return float(self.lr * corrections)

    def _constants(self) -> tuple[Any, ...]:
        return self._rate(), float(1 - self.beta1), float(1 - self.beta2)

    def _step(self, params: Values, key: str, g: Any) -> None:
        self.m[key] = self.m[key] + (1 - self.beta1) * (g - self.m[key])
        self.v[key] = self.v[key] + (1 - self.beta2) * (g * g - self.v[key])
        params[key] -= self._rate() * self.m[key] / (np.sqrt(self.v[key]) + OUTSIDE)


def _memory(w: Any, g: Any) -> Any:
    """Return zeros in the shape of ``w``, in float32 if the gradient is float32."""
    single = getattr(g, "dtype", None) == np.float32 and not settings.float64
    return np.zeros_like(w, dtype=np.float32 if single else None)


def _fit(*arrays: Any) -> bool:
    """Return whether a kernel can take a parameter, its gradient and the rule's memory."""
    w = arrays[0]
    return type(w) is np.ndarray and w.size >= WORTH and all(
        type(a) is np.ndarray and a.dtype in FLOATS and a.shape == w.shape and a.flags.carray
        for a in arrays
    )  # fmt: skip


def _velocity_first() -> bool:
    return settings.velocity_first and not settings.strict
