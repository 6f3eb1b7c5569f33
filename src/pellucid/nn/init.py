"""Initial weights.

    normal   w ~ N(0, std²)                    ("Deep Learning from Scratch", section 6.2)
    xavier   w ~ N(0, 2 / (fan_in + fan_out))  (Glorot & Bengio 2010, section 4.2.1, eq. 12)
    he       w ~ N(0, 2 / fan_in)              (He et al. 2015, section 2.2, eq. 10)

where fan_in is the number of inputs of an output, and fan_out the number of outputs of an input.

A layer's ``weight_init`` is ``"he"``, ``"xavier"``, a number (the standard deviation of `normal`),
or a function with the same signature, which takes the shape and a generator:

>>> from functools import partial
>>> from pellucid.nn import Conv2d
>>> def uniform(shape, *, rng):
...     return rng.uniform(-0.1, 0.1, shape)
>>> Conv2d(1, 8, 3, weight_init=uniform)
Conv2d(1, 8, 3, weight_init=uniform)
>>> Conv2d(1, 8, 3, weight_init=partial(normal, std=0.02)).weight.data.dtype
dtype('float32')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import ArgumentError, ShapeError, did_you_mean
from ..memory import aligned_zeros
from ..other_names import lookup
from ..shapes import shape_text
from ..typing import Array, Shape

__all__ = ["WeightInit", "he", "initial_weights", "normal", "signs", "without_values", "xavier"]

WeightInit: TypeAlias = str | float | Callable[..., Any]

BLOCK = 2**16  # numbers drawn at a time: in float64 they fit the level-2 cache

_only_shapes: ContextVar[bool] = ContextVar("_only_shapes", default=False)


def normal(shape: Shape, std: float = 0.01, *, rng: np.random.Generator) -> Array:
    """Return float32 weights drawn from a normal distribution with standard deviation ``std``."""
    weights = aligned_zeros(shape)
    flat = weights.reshape(-1)
    for begin in range(0, flat.size, BLOCK):
        part = flat[begin : begin + BLOCK]
        part[...] = std * rng.standard_normal(part.size)
    return weights


def xavier(shape: Shape, *, rng: np.random.Generator) -> Array:
    """Return float32 weights whose outputs and gradients keep their variance under tanh.

    ``shape`` is (outputs, inputs, ...) as for every weight; further axes are the window.
    """
    return normal(shape, _deviation(shape, "xavier"), rng=rng)


def he(shape: Shape, *, rng: np.random.Generator) -> Array:
    """Return float32 weights whose outputs keep their variance under ReLU.

    Examples
    --------
    >>> w = he((64, 32, 3, 3), rng=np.random.default_rng(0))
    >>> round(float(w.std()), 3), round(float((2 / (32 * 9)) ** 0.5), 3)
    (0.083, 0.083)
    """
    return normal(shape, _deviation(shape, "he"), rng=rng)


def initial_weights(
    shape: Shape, init: WeightInit, rng: np.random.Generator | None, *, places: Shape = ()
) -> Array:
    """Return float32 weights of ``shape`` as ``init`` says.

    Parameters
    ----------
    shape : tuple of int
        (outputs, inputs, ...), further axes are the window.
    init : "he", "xavier", float or callable
        A float is the standard deviation of a normal distribution; a function is called with
        ``shape`` and ``rng=``, and returns real numbers of that shape.
    rng : numpy.random.Generator, optional
    places : tuple of int
        Leading axes, as of `LocallyConnected2d`: each position has its own weights, drawn as a
        separate layer's.

    Raises
    ------
    ArgumentError, ShapeError
        If ``init`` is anything else; if a function does not return finite numbers of ``shape``.
    """
    if not callable(init):
        _require_known(init)
    if _only_shapes.get():
        return _only_shape((*places, *shape), 0)
    rng = np.random.default_rng() if rng is None else rng
    if callable(init):
        weights = aligned_zeros((*places, *shape))
        for place in weights.reshape(-1, *shape) if places else [weights]:
            place[...] = _drawn(init, shape, rng)
        return weights
    std = _deviation(shape, init) if isinstance(init, str) else init
    return normal((*places, *shape), std, rng=rng)


def _require_known(init: Any) -> None:
    if isinstance(init, str) and init not in ("he", "xavier"):
        raise ArgumentError(
            f"{init!r} is not an initialisation. {did_you_mean(init, ['he', 'xavier'])} "
            "Or give a number, the standard deviation of a normal distribution.",
            where="weight_init",
        )
    if not isinstance(init, str) and not (
        isinstance(init, int | float | np.integer | np.floating) and 0 <= init < math.inf
    ):
        raise ArgumentError(
            "must be 'he', 'xavier', a standard deviation of at least 0, or a function "
            f"`init(shape, *, rng)`; received {init!r}.",
            where="weight_init",
        )


def _only_shape(shape: Shape, value: float, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return an array whose numbers all lie in one place; refuse what no array can be."""
    try:
        return np.broadcast_to(np.array(value, dtype=dtype), shape)
    except (ValueError, OverflowError) as error:  # more bytes than an address can count
        raise ArgumentError(
            f"weights of the shape {shape_text(shape)} would be {math.prod(shape):.1e} numbers, "
            "more than an array can have."
        ) from error


def _drawn(init: Callable[..., Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Return the weights drawn by a user's function, checked."""
    drawn = np.asarray(init(shape, rng=rng))
    if drawn.shape != shape:
        raise ShapeError(
            f"{init!r} must return an array of shape {shape}, returned one of {drawn.shape}.",
            where="weight_init",
        )
    if drawn.dtype.kind not in "fiu" or not np.isfinite(drawn).all():
        what = "NaN or infinity" if drawn.dtype.kind == "f" else f"{drawn.dtype} numbers"
        raise ArgumentError(
            f"{init!r} must return finite real numbers, returned {what}.", where="weight_init"
        )
    return drawn


def _deviation(shape: Shape, init: str) -> float:
    """Return the standard deviation that preserves the variance of outputs, or of gradients too."""
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return math.sqrt(2 / fan_in if init == "he" else 2 / (fan_in + fan_out))


def constant(shape: Shape, value: float, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return an array filled with ``value``, in float32 by default."""
    if _only_shapes.get():
        return _only_shape(shape, value, dtype)
    return np.full(shape, value, dtype=dtype)


def signs(shape: Shape, rng: np.random.Generator | None) -> Array:
    """Return float32 numbers that are -1 or 1 with equal probability."""
    if _only_shapes.get():
        return _only_shape(shape, 0)
    rng = np.random.default_rng() if rng is None else rng
    return np.where(rng.random(shape) < 0.5, np.float32(-1), np.float32(1))


@contextmanager
def without_values() -> Iterator[None]:
    """Build layers whose weights have a shape but no memory, until a state is loaded.

    A model file can thus be checked against its own architecture before memory is allocated.

    Examples
    --------
    >>> from pellucid.nn import Linear
    >>> with without_values():
    ...     layer = Linear(10**6, 10**6)
    >>> layer.weight.data.shape, layer.weight.data.base.nbytes
    ((1000000, 1000000), 4)
    """
    token = _only_shapes.set(True)
    try:
        yield
    finally:
        _only_shapes.reset(token)


if not TYPE_CHECKING:  # or a type checker would accept every name
    __getattr__ = lookup(__name__, __all__)
