"""Learning-rate multipliers for parts of a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np

from ..errors import ArgumentError, did_you_mean
from .layer import Layer

__all__ = ["freeze", "set_rates"]


def set_rates(model: Layer, rates: Mapping[str, float]) -> None:
    """Set multipliers of the learning rate for parts of a network.

    Parameters
    ----------
    model : Layer
    rates : mapping of pattern to float
        A pattern is the path of a layer (including all nested layers) or the key of a parameter;
        ``*`` matches any characters, ``?`` one. Later patterns override earlier ones. With rate 0
        the parameters are frozen: the engine computes no gradients for them, and backward stops at
        the first layer that learns; frozen batch norms do not update their running statistics.

    Raises
    ------
    ArgumentError
        If a pattern matches no parameter, or a rate is negative or not finite; then nothing is
        changed.

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
                f"{pattern!r} matches no layer with parameters. {did_you_mean(pattern, names)}",
                where="rates",
            )
        chosen |= dict.fromkeys(fitting, float(rate))
    for key, rate in chosen.items():
        parameters[key].rate = rate


def freeze(model: Layer, patterns: str | Iterable[str] = "*") -> None:
    """Freeze parts of a network in training: `set_rates` with rate 0.

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
    """Return whether a pattern matches a parameter's key, or the path of a layer around it."""
    parts = key.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
