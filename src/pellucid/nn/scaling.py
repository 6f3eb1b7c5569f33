"""Layers with one array that multiplies, or is added to, each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_no_wider, require_shape
from ..typing import Array, Shape
from .checks import require_count, require_number
from .layer import Layer
from .parameter import Buffer, Parameter

__all__ = ["LayerScale", "Scale", "Shift"]


class ArrayLayer(Layer):
    """Base class: one array, broadcast over the images as in NumPy."""

    array: Buffer

    def __init__(self, shape: Sequence[int] | int, init: float, trainable: bool) -> None:
        sizes = (shape,) if isinstance(shape, int | np.integer) else shape
        if not isinstance(sizes, list | tuple):
            raise ArgumentError(
                f"must be the shape of the array, as (C, 1, 1), received {shape!r}.", where="shape"
            )
        self.shape = tuple(require_count(size, "shape") for size in sizes)
        require_number(init, "init")
        self.init = float(init)
        self.trainable = bool(trainable)
        # Traits, as far as the shape decides them.
        self.per_number = all(size == 1 for size in self.shape)
        self.per_pixel = len(self.shape) == 3 and self.shape[1:] == (1, 1)
        self.one_size = any(size > 1 for size in self.shape[-2:])

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of image and array broadcast together."""
        if len(self.shape) <= len(input_shape):
            try:
                return ops.broadcast_shape(tuple(input_shape), self.shape)
            except ShapeError:
                pass
        of_channels = (*input_shape[:1], *[1] * (len(input_shape) - 1))
        raise ShapeError(
            f"has an array of shape {self.shape}, which does not broadcast with an image of shape "
            f"{tuple(input_shape)}: it may not have more axes, and along each, counted from the "
            "last one, both are of one length or 1. One number a channel: "
            f"`{type(self).__name__}({of_channels})`."
        )

    def _made(self) -> Buffer:
        data = np.full(self.shape, self.init, dtype=np.float32)
        return Parameter(data, decay=0) if self.trainable else Buffer(data)

    def _checked(self, x: Array, buffer: Buffer) -> Array:
        """Return the array, with an axis for each of an image, if it fits ``x``."""
        where = type(self).__name__
        require_no_wider(x, where, **{"the array": buffer.data})
        self.output_shape(x.shape[1:])
        require_shape(buffer.data, self.shape, "the array", "shape", where)
        return buffer.data

    def _store(self, buffer: Buffer, gradient: Array) -> None:
        if isinstance(buffer, Parameter):
            buffer.grad = gradient.reshape(self.shape)


class Scale(ArrayLayer):
    """Multiply each image by one array, as by a factor for each channel.

        y = w · x,    dx = dy · w,    dw = Σ_n dy · x

    Input (N, ...); ``weight`` is broadcast as in NumPy, and its gradient summed where it was
    repeated. With shape (C, 1, 1) it is the layer scale of Touvron et al. 2021, "Going deeper with
    Image Transformers", section 2.1.

    Parameters
    ----------
    shape : tuple of int
        Of ``weight``, without N: (C, 1, 1) for one factor a channel of images (N, C, H, W).
    init : float
        Every number of it at the start.
    trainable : bool
        Whether it is learned; otherwise it is a constant, saved with the model.

    Attributes
    ----------
    weight : Parameter, or Buffer if not trainable

    Raises
    ------
    ArgumentError
        If ``shape`` is not a tuple of positive integers.
    ShapeError
        If the array does not broadcast with the images.

    Examples
    --------
    >>> scale = Scale((2, 1, 1), init=0.5)
    >>> scale(np.full((1, 2, 1, 2), 4.0)).ravel(), list(scale.parameters())
    (array([2., 2., 2., 2.]), ['weight'])
    >>> Scale((2, 1, 1), trainable=False).parameters()
    {}
    """

    short_name = "scale"

    def __init__(
        self, shape: Sequence[int] | int, init: float = 1.0, *, trainable: bool = True
    ) -> None:
        super().__init__(shape, init, trainable)
        self.weight = self._made()

    def forward(self, x: Array) -> Array:
        """Return ``w · x``."""
        w = self._checked(x, self.weight)
        self.remember(x)
        return ops.multiply(x, _spread(w, x))

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, shaped like the input; store that of ``weight``."""
        (x,) = self.recall()
        dx, dw = ops.multiply_backward(dy, x, _spread(self.weight.data, x))
        self._store(self.weight, dw)
        return dx


class LayerScale(Scale):
    """Multiply each channel by a learned factor, at first a small one: a block begins as nothing.

    A `Scale` of shape (C, 1, 1) at the end of a residual block's chain. Its key in state dicts is
    its own name, as that of torchvision's ConvNeXt: ``block.layer_scale``, without ``.weight``.
    Source: Touvron et al. 2021, "Going deeper with Image Transformers", section 2.1.

    Parameters
    ----------
    num_channels : int
        C.
    init : float
        Every factor at the start.

    Examples
    --------
    >>> from pellucid.nn import Residual, Tanh
    >>> block = Residual(tanh=Tanh(), layer_scale=LayerScale(2, 0.5))
    >>> {key: p.data.shape for key, p in block.parameters().items()}
    {'layer_scale': (2, 1, 1)}
    """

    own_key = True

    def __init__(self, num_channels: int, init: float = 1e-6) -> None:
        self.num_channels = require_count(num_channels, "num_channels")
        super().__init__((num_channels, 1, 1), init)


class Shift(ArrayLayer):
    """Add one array to each image, as a number for each channel.

        y = x + b,    dx = dy,    db = Σ_n dy

    Input (N, ...); ``bias`` is broadcast as in NumPy, and its gradient summed where it was
    repeated.

    Parameters
    ----------
    shape : tuple of int
        Of ``bias``, without N: (C, 1, 1) for one number a channel of images (N, C, H, W).
    init : float
        Every number of it at the start.
    trainable : bool
        Whether it is learned; otherwise it is a constant, saved with the model.

    Attributes
    ----------
    bias : Parameter, or Buffer if not trainable

    Examples
    --------
    >>> shift = Shift((2, 1, 1), init=0.5)
    >>> shift(np.full((1, 2, 1, 2), 4.0)).ravel(), list(shift.parameters())
    (array([4.5, 4.5, 4.5, 4.5]), ['bias'])
    """

    short_name = "shift"

    def __init__(
        self, shape: Sequence[int] | int, init: float = 0.0, *, trainable: bool = True
    ) -> None:
        super().__init__(shape, init, trainable)
        self.bias = self._made()

    def forward(self, x: Array) -> Array:
        """Return ``x + b``."""
        b = self._checked(x, self.bias)
        self.remember(x.shape)
        return ops.add(x, _spread(b, x))

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, shaped like the input; store that of ``bias``."""
        (shape,) = self.recall()
        dx, db = ops.add_backward(dy, (shape, _alike(self.shape, shape)))
        self._store(self.bias, db)
        return dx


def _alike(shape: Shape, images: Shape) -> Shape:
    """Return ``shape`` with an axis for N, and one for each of the images."""
    return (*[1] * (len(images) - len(shape)), *shape)


def _spread(a: Array, x: Any) -> Array:
    """Return ``a`` with leading axes of length 1, so that none of its own meets N."""
    return a.reshape(_alike(a.shape, x.shape))
