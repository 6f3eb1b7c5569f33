"""Which parts of a network learn, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np

from ..errors import ArgumentError, did_you_mean
from .layer import Layer

__all__ = ["freeze", "set_rates"]


def set_rates(model: Layer, rates: Mapping[str, float]) -> None:
    """Give parts of a network rates of their own, by which the optimizer's is multiplied.

    Parameters
    ----------
    model : Layer
    rates : mapping of pattern to float
        A pattern is the path of a layer (and means all that is inside) or the key of a parameter;
        ``*`` stands for any letters, ``?`` for one. Later patterns win over earlier ones. With rate
        0 the parameters stay as they are: the engine computes no gradient for them, and goes back
        no further than to the first layer that learns; batch norms among them no longer follow
        their batches.

    Raises
    ------
    ArgumentError
        If a pattern fits nothing that is trained, or a rate is no finite number from 0 on; then
        nothing was changed.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet()
    >>> set_rates(model, {"*": 0.1, "conv*": 0, "affine2": 1})
    >>> {key: p.rate for key, p in model.parameters().items() if "weight" in key}
    {'conv1.weight': 0.0, 'affine1.weight': 0.1, 'affine2.weight': 1.0}
    """
    parameters = model.parameters()
    chosen: dict[str, float] = {}
    for pattern, rate in rates.items():
        if not isinstance(rate, int | float | np.number) or not 0 <= rate < math.inf:
            raise ArgumentError(
                f"must be finite and 0 or more, received {rate!r} for {pattern!r}.", where="rates"
            )
        fitting = [key for key in parameters if _fits(key, pattern)]
        if not fitting:
            names = [name for name, layer in model.layers() if name and layer.parameters()]
            raise ArgumentError(
                f"{pattern!r} fits no layer that is trained. {did_you_mean(pattern, names)}",
                where="rates",
            )
        chosen |= dict.fromkeys(fitting, float(rate))
    for key, rate in chosen.items():
        parameters[key].rate = rate


def freeze(model: Layer, patterns: str | Iterable[str] = "*") -> None:
    """Let parts of a network stay as they are in training: `set_rates` with rate 0.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet()
    >>> freeze(model, "conv*")
    >>> [key for key, p in model.parameters().items() if p.rate == 0]
    ['conv1.weight', 'conv1.bias']
    """
    set_rates(model, dict.fromkeys([patterns] if isinstance(patterns, str) else patterns, 0.0))


def _fits(key: str, pattern: str) -> bool:
    """Return whether a pattern fits a parameter's key, or the path of a layer that it is in."""
    parts = key.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
