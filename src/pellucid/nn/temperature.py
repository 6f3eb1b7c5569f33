"""Temperature scaling as the last layer of a network."""

from __future__ import annotations

import math
from numbers import Real

from ..errors import ArgumentError
from ..ops.checks import as_floats, gradient_like
from ..typing import Array
from .containers import Sequential
from .layer import Layer

__all__ = ["Temperature", "temperature_of", "uncalibrated"]

NAME = "temperature"  # of the layer in a chain


class Temperature(Layer):
    """Divide scores by a temperature: ``y = x / T``, ``dx = dy / T``; any shape.

    Above 1 it makes the probabilities less extreme, below 1 more; the order of the scores, and so
    the predicted class, stays. Nothing is learned in training: `pellucid.training.calibrated` fits
    T on a validation set afterwards. It is part of the architecture and saved with it, so that it
    is applied wherever the model runs. Source: Guo et al., "On calibration of modern neural
    networks", 2017, section 4.2.

    Parameters
    ----------
    temperature : float
        T, above 0.

    Raises
    ------
    ArgumentError
        If it is not a finite number above 0.

    Examples
    --------
    >>> import numpy as np
    >>> Temperature(2.0)(np.array([[4.0, 1.0]]))
    array([[2. , 0.5]])
    """

    per_number = True
    short_name = "temperature"

    def __init__(self, temperature: float) -> None:
        good = isinstance(temperature, Real) and 0 < float(temperature) < math.inf
        if not good or isinstance(temperature, bool):
            raise ArgumentError(
                f"expects a finite number above 0, received {temperature!r}.", where="Temperature"
            )
        self.temperature = float(temperature)

    def forward(self, x: Array) -> Array:
        """Return ``x / T``."""
        x = as_floats(x, "temperature")
        self.remember(x)
        return x / x.dtype.type(self.temperature)

    def backward(self, dy: Array) -> Array:
        """Return ``dy / T``."""
        (x,) = self.recall()
        dx = gradient_like(dy, x, "temperature_backward")
        return dx / dx.dtype.type(self.temperature)

    def after(self, model: Layer) -> Sequential:
        """Return a chain of ``model`` and this layer, called ``temperature``.

        The layers of a chain keep their names, and thus the keys of the state. A temperature that
        the model has already is replaced.

        Examples
        --------
        >>> from pellucid.nn import Flatten, Linear
        >>> model = Sequential(flatten=Flatten(), fc=Linear(64, 10))
        >>> Temperature(1.5).after(model)["temperature"]
        Temperature(1.5)
        """
        bare = uncalibrated(model)
        chain = isinstance(bare, Sequential) and bare.nodes() is not None
        inside = dict(bare.children()) if chain else {}
        if not chain or NAME in inside:  # the name of another layer
            inside = {"network": bare}
        whole = Sequential(**{**inside, NAME: self})
        whole.input_shape, whole.card, whole.training = (
            model.input_shape,
            model.card,
            model.training,
        )
        return whole


def temperature_of(model: Layer) -> float:
    """Return the temperature that a model divides its scores by; 1 without one.

    Examples
    --------
    >>> from pellucid.nn import Linear
    >>> temperature_of(Linear(4, 3)), temperature_of(Temperature(2.0).after(Linear(4, 3)))
    (1.0, 2.0)
    """
    layer = _last(model)
    return layer.temperature if layer is not None else 1.0


def uncalibrated(model: Layer) -> Layer:
    """Return the model without its temperature; a model without one as it is.

    Its layers are the same objects, and keep their names.

    Examples
    --------
    >>> from pellucid.nn import Linear
    >>> list(uncalibrated(Temperature(2.0).after(Linear(4, 3))).parameters())
    ['network.weight', 'network.bias']
    """
    if _last(model) is None:
        return model
    bare = Sequential(**dict(list(model.children())[:-1]))
    bare.input_shape, bare.card, bare.training = model.input_shape, model.card, model.training
    return bare


def _last(model: Layer) -> Temperature | None:
    """Return the temperature that ends a chain, if it does."""
    if not isinstance(model, Sequential) or model.nodes() is None:
        return None
    layers = list(model.children())
    layer = layers[-1][1] if len(layers) > 1 else None
    return layer if isinstance(layer, Temperature) else None
