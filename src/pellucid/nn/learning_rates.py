"""Multipliers of the learning rate and the weight decay for parts of a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np

from ..errors import ArgumentError, did_you_mean
from .layer import Layer
from .parameter import Parameter

__all__ = ["freeze", "set_decay", "set_rates"]


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
    for parameter, rate in _chosen(model, rates, "rates"):
        parameter.rate = rate


def set_decay(model: Layer, decays: Mapping[str, float]) -> None:
    """Set multipliers of the optimizer's weight decay for parts of a network.

    Layers set those of biases, and of the gains and shifts of norms, to 0: decaying them limits
    what the network can represent, and hardly regularises it (Goodfellow et al. 2016, "Deep
    learning", section 7.1; He et al. 2019, "Bag of tricks", section 3.1).

    Parameters
    ----------
    model : Layer
    decays : mapping of pattern to float
        Patterns as in `set_rates`. 0 excludes parameters from weight decay.

    Raises
    ------
    ArgumentError
        As `set_rates`.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet()
    >>> {key: p.decay for key, p in model.parameters().items() if "conv" in key}
    {'conv1.weight': 1.0, 'conv1.bias': 0.0}
    >>> set_decay(model, {"*": 1})  # decay everything
    >>> {key: p.decay for key, p in model.parameters().items() if "conv" in key}
    {'conv1.weight': 1.0, 'conv1.bias': 1.0}
    """
    for parameter, decay in _chosen(model, decays, "decays"):
        parameter.decay = decay


def _chosen(model: Layer, wanted: Mapping[str, float], where: str) -> list[tuple[Parameter, float]]:
    """Return the parameters that the patterns match, with the number of the last that does."""
    parameters = model.parameters()
    chosen: dict[str, float] = {}
    for pattern, number in wanted.items():
        if not isinstance(number, int | float | np.number) or not 0 <= number < math.inf:
            raise ArgumentError(
                f"must be finite and 0 or more, received {number!r} for {pattern!r}.", where=where
            )
        fitting = [key for key in parameters if _fits(key, pattern)]
        if not fitting:
            names = [name for name, layer in model.layers() if name and layer.parameters()]
            raise ArgumentError(
                f"{pattern!r} matches no layer with parameters. {did_you_mean(pattern, names)}",
                where=where,
            )
        chosen |= dict.fromkeys(fitting, float(number))
    return [(parameters[key], number) for key, number in chosen.items()]


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
