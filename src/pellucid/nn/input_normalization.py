"""Input normalisation as the first layer of a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.checks import as_floats, gradient_like
from ..typing import Array, Shape
from .containers import Sequential
from .layer import Layer

__all__ = ["Normalize"]


class Normalize(Layer):
    """Normalise each channel by the fixed mean and standard deviation of the training set.

        y[n,c,i,j] = (x[n,c,i,j] - mean[c]) / std[c]
        dx = dy / std

    Input and output (N, C, H, W). Nothing is learned: the numbers are part of the architecture
    and saved with it, so that they are applied wherever the model runs. Source: LeCun et al.,
    "Efficient BackProp", 1998, section 4.3.

    Parameters
    ----------
    mean, std : sequences of C floats
        Of each channel, as `pellucid.data.Dataset.statistics` returns them.

    Raises
    ------
    ArgumentError
        If they are not finite numbers, one pair per channel, with positive deviations.

    Examples
    --------
    >>> layer = Normalize((0.5, 0.2), (0.25, 0.1))
    >>> x = np.array([1.0, 0.1]).reshape(1, 2, 1, 1)
    >>> layer(x).ravel().round(6)
    array([ 2., -1.])
    """

    per_pixel = True
    is_normalization = True
    short_name = "normalize"

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        pairs = _numbers(mean), _numbers(std)
        good = (
            len(pairs[0]) == len(pairs[1]) > 0
            and all(math.isfinite(m) for m in pairs[0])
            and all(0 < s < math.inf for s in pairs[1])
        )
        if not good:
            raise ArgumentError(
                "expects a finite mean and a positive deviation for each channel, received "
                f"mean={mean!r}, std={std!r}.",
                where="Normalize",
            )
        self.mean, self.std = pairs

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        x = as_floats(x, "normalize")
        self._require_channels(x.shape[1:])
        mean, off, std = self._as_columns(x)
        self.remember(x, std)
        y = x - mean
        if off.any():
            y -= off
        y /= std
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, shaped like ``dy``."""
        x, std = self.recall()
        return gradient_like(dy, x, "normalize_backward") / std

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._require_channels(input_shape)
        return input_shape

    def before(self, model: Layer) -> Sequential:
        """Return a chain of this layer, called ``normalize``, and ``model``.

        The layers of a chain keep their names, and thus the keys of the state.

        Examples
        --------
        >>> from pellucid.nn import Flatten, Linear
        >>> model = Sequential(flatten=Flatten(), fc=Linear(64, 10))
        >>> list(Normalize([0.3], [0.2]).before(model).parameters())
        ['fc.weight', 'fc.bias']
        """
        chain = isinstance(model, Sequential) and model.nodes() is not None
        inside = dict(model.children()) if chain else {"network": model}
        whole = Sequential(**{"normalize": self, **inside})
        whole.input_shape, whole.card = model.input_shape, model.card
        return whole

    def _as_columns(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the means, their rounding errors in x's dtype, and the deviations.

        So a mean far from zero costs no digits; an error too small to matter in x is 0.
        """
        exact, std = np.array(self.mean), np.array(self.std)
        mean = exact.astype(x.dtype)
        off = exact - mean
        off[np.abs(off) < np.finfo(x.dtype).eps * std / 2] = 0
        columns = (a.astype(x.dtype, copy=False).reshape(-1, 1, 1) for a in (mean, off, std))
        around, rest, deviation = columns
        return around, rest, deviation

    def _require_channels(self, shape: Shape) -> None:
        if len(shape) != 3 or shape[0] != len(self.mean):
            raise ShapeError(
                f"has mean and deviation of {len(self.mean)} channels, received shape "
                f"{tuple(shape)}. Build it with the statistics of these images."
            )


def _numbers(values: object) -> tuple[float, ...]:
    """Return a sequence of numbers as floats, anything else as ()."""
    listed = tuple(values) if isinstance(values, Iterable) else ()
    return tuple(map(float, listed)) if all(isinstance(v, Real) for v in listed) else ()
