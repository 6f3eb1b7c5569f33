"""`Convolution`: filters that slide over images."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ... import ops
from ...distributed import Share
from ...engine.cpu.convolution.choice import filter_gradient, input_gradient, output
from ...kernels.convolution.activation import NO_ACTIVATION
from ...kernels.convolution.layout import NO_BYTES, GatedGradient
from ...ops.checks import require_shape
from ...ops.conv import conv2d_windows
from ...typing import Array, Shape
from ..common.util import im2col
from ..settings import settings
from .base import BookLayer
from .buffers import take
from .layouts import as_float32, channels_first, channels_last

__all__ = ["Convolution"]

GRADIENT = "a gradient", "(N, FN, OH, OW)", "Convolution"  # words for the error message
KEPT = 8  # input shapes whose kernels and tables a layer keeps


class Convolution(BookLayer):
    """Slide filters over images ("Deep Learning from Scratch", section 7.4.3).

    Output height ``1 + (H + 2·pad - FH) // stride``, the width alike.

    Parameters
    ----------
    W : array (FN, C, FH, FW)
        The layer keeps a reference: it sees what an optimizer writes into the array.
    b : array (FN,) or a number
    stride, pad : int

    Attributes
    ----------
    x : array (N, C, H, W)
        The last input.
    col : array (N·OH·OW, C·FH·FW), float64
        Its windows as rows; computed when it is read, because the layer does not use it.
    col_W : array (C·FH·FW, FN)
        The filters as columns.
    dW, db : arrays (FN, C, FH, FW), (FN,)
        The gradients, after the first backward.

    Examples
    --------
    >>> conv = Convolution(np.ones((1, 1, 2, 2)), 0)
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv.forward(x)[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    >>> conv.col[0], conv.col_W.shape
    (array([0., 1., 3., 4.]), (4, 1))
    >>> conv.backward(np.ones((1, 1, 2, 2)))[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """

    _seen: tuple[Array, Array] | None = None  # the input, and its channels-last form
    _passes: dict[Any, _Passes] | None = None

    def __init__(self, W: Array, b: Any, stride: int = 1, pad: int = 0) -> None:
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return the output (N, FN, OH, OW).

        Raises
        ------
        ShapeError
            If the filters have another number of channels than the images, or are larger.
        """
        for stale in ("col", "col_W"):
            vars(self).pop(stale, None)
        self.x, fn = x, len(self.W)
        if settings.in_double(x) or not x.size:
            self._seen = None
            w = np.asarray(self.W, np.float64)
            stride, pad = self._slide()
            y = ops.conv2d(x.astype(np.float64, copy=False), w, stride=stride, padding=pad)
            return y + np.reshape(self.b, (1, -1, 1, 1))
        passes = self._find_passes(x)
        seen = channels_last(x)
        self._seen = x, seen
        y = take((len(x), *passes.windows.output, fn))
        passes.forward(seen, as_float32(self.W), self.b, y)
        return channels_first(y)

    def backward(self, dout: Array) -> Array:
        """Set ``dW`` and ``db``; return the gradient for the input.

        Raises
        ------
        ShapeError
            If the shape of ``dout`` is not that of the output.
        """
        x = self._after_forward(self.x)
        self.dW = self.db = None
        if self._seen is None:
            windows = conv2d_windows(x.shape[1:], self.W.shape, *self._slide())
            require_shape(dout, (len(x), len(self.W), *windows.output), *GRADIENT)
            w, dy = np.asarray(self.W, np.float64), dout.astype(np.float64, copy=False)
            stride, pad = self._slide()
            dx, self.dW, self.db = ops.conv2d_backward(
                dy, x.astype(np.float64, copy=False), w, stride=stride, padding=pad
            )
            return dx
        passes, (given, seen) = self._find_passes(x), self._seen
        require_shape(dout, (len(x), len(self.W), *passes.windows.output), *GRADIENT)
        if given is not x:  # the script has set another x
            seen = channels_last(x)
        dy = channels_last(dout)
        self.dW, self.db = take(self.W.shape), take((len(self.W),))
        passes.filter_gradients(seen, dy, self.dW, self.db)
        return passes.input_gradient(dy, as_float32(self.W), seen.shape)

    @cached_property
    def col(self) -> Array | None:
        """Return the windows of the last input as rows."""
        if self.x is None:
            return None
        return im2col(self.x, self.W.shape[2], self.W.shape[3], self.stride, self.pad)

    @cached_property
    def col_W(self) -> Array | None:  # noqa: N802 - the book's name
        """Return the filters as columns."""
        return None if self.x is None else self.W.reshape(len(self.W), -1).T

    def _slide(self) -> tuple[int, int]:
        return int(self.stride), int(self.pad)

    def _find_passes(self, x: Array) -> _Passes:
        # Rounded up to a power of two: the choice of algorithms depends on the size of the batch.
        batch = 1 << (len(x) - 1).bit_length()
        key = (x.shape[1:], self.W.shape, self.stride, self.pad, batch)
        if self._passes is None:
            self._passes = {}
        if key not in self._passes:
            if len(self._passes) >= KEPT:
                self._passes.pop(next(iter(self._passes)))
            self._passes[key] = _Passes(x.shape[1:], self.W.shape, batch, *self._slide())
        return self._passes[key]


class _Passes:
    """The engine's passes over images of one shape: forward, filter gradient, input gradient."""

    def __init__(self, image: Shape, filters: Shape, batch: int, stride: int, pad: int) -> None:
        self.windows = conv2d_windows(image, filters, stride, pad)
        self._geometry = (self.windows, image[0], filters[0], 1, 1, batch)
        self._output = output(*self._geometry)
        self._share = Share()

    def forward(self, x: Array, w: Array, b: Any, y: Array) -> None:
        self._output.pack(w)
        self._output.bias[:] = np.broadcast_to(np.asarray(b, np.float32).reshape(-1), len(w))
        self._output(GatedGradient.of(x), len(x), y, NO_BYTES, NO_ACTIVATION, False)

    def filter_gradients(self, x: Array, dy: Array, dw: Array, db: Array) -> None:
        """Write the gradients of filters and bias."""
        self._share.begin(len(x))
        self._filters(x, GatedGradient.of(dy), dw, db)

    @cached_property
    def _filters(self) -> Any:
        return filter_gradient(*self._geometry, self._share)

    def input_gradient(self, dy: Array, w: Array, shape: tuple[int, ...]) -> Array:
        """Return the gradient for the images, whose ``shape`` is (N, H, W, C), as (N, C, H, W)."""
        dx = take(shape)
        self._input.pack(w)
        self._input(GatedGradient.of(dy), len(dx), dx, NO_BYTES, NO_ACTIVATION)
        return channels_first(dx)

    @cached_property
    def _input(self) -> Any:
        return input_gradient(*self._geometry)
