"""`Relu`, `Sigmoid` and `Dropout`."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...kernels import elementwise
from ...kernels.blocks import each
from ...kernels.book import masked_relu
from ...ops.checks import require_shape
from ...typing import Array
from ..settings import settings
from .base import BookLayer
from .buffers import take
from .layouts import contiguous, empty_bytes, in_shape_of

__all__ = ["Dropout", "Relu", "Sigmoid"]

LAST = (0, 2, 3, 1)


class Relu(BookLayer):
    """``max(0, x)`` ("Deep Learning from Scratch", section 5.5.1).

    As in the book, ``backward`` writes into its argument and returns it: a script that uses the
    gradient again finds zeros in it. With ``settings.strict`` it writes to a copy.

    Attributes
    ----------
    mask : bool array like the input
        True where the input was not above zero.

    Examples
    --------
    >>> relu = Relu()
    >>> relu.forward(np.array([[1.0, -0.5], [-2.0, 3.0]])).tolist()
    [[1.0, 0.0], [0.0, 3.0]]
    >>> relu.backward(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    mask: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return ``x`` where it is above zero, and 0 elsewhere."""
        self.mask = None  # frees its memory for the new one, unless the script holds it
        memory = contiguous(x)
        if memory is None or not x.size:
            self.mask = x <= 0
            out = x.copy()
            out[self.mask] = 0
            return out
        y, masked = take(memory.shape), empty_bytes(memory.shape, np.bool_)
        each(masked_relu.forward, memory, y, masked)
        self.mask = in_shape_of(masked, memory, x)
        return in_shape_of(y, memory, x)

    def backward(self, dout: Array) -> Array:
        """Return ``dout``, and 0 where the input was not above zero.

        Raises
        ------
        ShapeError
            If the shape of ``dout`` is not that of the input.
        """
        given, masked = contiguous(dout), self._after_forward(self.mask)
        require_shape(dout, masked.shape, "a gradient", "(N, ...)", "Relu")
        if settings.strict or not dout.flags.writeable:
            dout = dout.copy(order="K")
            given = contiguous(dout)
        if given is not None and dout.size:
            flat = masked if given is dout else masked.transpose(LAST)
            if flat.flags.c_contiguous:
                each(masked_relu.backward, given, flat)
                return dout
        np.copyto(dout, 0, where=masked)
        return dout


class Sigmoid(BookLayer):
    """``1 / (1 + e^-x)`` ("Deep Learning from Scratch", section 5.5.2).

    Attributes
    ----------
    out : array
        The last output.

    Examples
    --------
    >>> sigmoid = Sigmoid()
    >>> sigmoid.forward(np.array([0.0])), sigmoid.backward(np.array([1.0]))
    (array([0.5]), array([0.25]))
    """

    out: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return the sigmoid of each number of ``x``."""
        memory = contiguous(x)
        if memory is None or not x.size or settings.in_double(x):
            self.out = ops.sigmoid(x.astype(np.float64) if settings.in_double(x) else x)
            return self.out
        y = take(memory.shape)
        each(elementwise.sigmoid, memory, y)
        self.out = in_shape_of(y, memory, x)
        return self.out

    def backward(self, dout: Array) -> Array:
        """Return ``dout · (1 - out) · out``."""
        out = self._after_forward(self.out)
        given, y = contiguous(dout), contiguous(out)
        alike = dout.shape == out.shape and (given is dout) == (y is out)
        if given is None or y is None or not alike or not dout.size:
            return dout * (1 - out) * out
        dx = take(y.shape)
        each(elementwise.sigmoid_backward, given, y, dx)
        return in_shape_of(dx, y, out)


class Dropout(BookLayer):
    """Drop some numbers in training; scale all at test time ("... from Scratch", section 6.4.3).

    This is the variant of the first papers: in training the numbers that are kept are not scaled,
    and at test time all are multiplied by ``1 - dropout_ratio``.

    Parameters
    ----------
    dropout_ratio : float
        The share of the numbers that is set to 0, drawn by ``np.random.rand``.

    Attributes
    ----------
    mask : bool array
        True for the numbers that the last training step kept.

    Examples
    --------
    >>> Dropout(0.25).forward(np.ones(4), train_flg=False)
    array([0.75, 0.75, 0.75, 0.75])
    """

    mask: Array | None = None

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        """Return ``x`` with some numbers set to 0, or all of them scaled."""
        if not train_flg:
            return x * (1.0 - float(self.dropout_ratio))
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio  # noqa: NPY002 - the script's seed
        return x * self.mask

    def backward(self, dout: Array) -> Array:
        """Return ``dout`` times the last mask."""
        return dout * self._after_forward(self.mask)
