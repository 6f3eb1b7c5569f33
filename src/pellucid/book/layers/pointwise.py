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
from .layouts import as_given, empty_bytes, in_a_run

__all__ = ["Dropout", "Relu", "Sigmoid"]

LAST = (0, 2, 3, 1)


class Relu(BookLayer):
    """``max(0, x)``; ("Deep Learning from Scratch", section 5.5.1).

    As in the book, ``backward`` writes into the gradient that it is given, and returns that very
    array: whoever needs it again finds zeros in it. With ``settings.strict`` it does not.

    Attributes
    ----------
    mask : bool array like the input
        Where that was not above zero.

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
        run, self.mask = in_a_run(x), None  # whose memory is taken again, if nobody else has it
        if run is None or not x.size:
            self.mask = x <= 0
            out = x.copy()
            out[self.mask] = 0
            return out
        y, stopped = take(run.shape), empty_bytes(run.shape, np.bool_)
        each(masked_relu.rectify, run, y, stopped)
        self.mask = as_given(stopped, run, x)
        return as_given(y, run, x)

    def backward(self, dout: Array) -> Array:
        """Return ``dout``, and 0 where the input was not above zero.

        Raises
        ------
        ShapeError
            If ``dout`` has another shape than the input.
        """
        given, stopped = in_a_run(dout), self._after_forward(self.mask)
        require_shape(dout, stopped.shape, "a gradient", "(N, ...)", "Relu")
        if settings.strict or not dout.flags.writeable:
            dout = dout.copy(order="K")
            given = in_a_run(dout)
        if given is not None and dout.size:
            flat = stopped if given is dout else stopped.transpose(LAST)
            if flat.flags.c_contiguous:
                each(masked_relu.stop, given, flat)
                return dout
        np.copyto(dout, 0, where=stopped)
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
        """Return a number between 0 and 1 for each of ``x``."""
        run = in_a_run(x)
        if run is None or not x.size or settings.in_double(x):
            self.out = ops.sigmoid(x.astype(np.float64) if settings.in_double(x) else x)
            return self.out
        y = take(run.shape)
        each(elementwise.sigmoid, run, y)
        self.out = as_given(y, run, x)
        return self.out

    def backward(self, dout: Array) -> Array:
        """Return ``dout · (1 - out) · out``."""
        out = self._after_forward(self.out)
        given, y = in_a_run(dout), in_a_run(out)
        alike = dout.shape == out.shape and (given is dout) == (y is out)
        if given is None or y is None or not alike or not dout.size:
            return dout * (1 - out) * out
        dx = take(y.shape)
        each(elementwise.sigmoid_backward, given, y, dx)
        return as_given(dx, y, out)


class Dropout(BookLayer):
    """Silence some numbers in training; scale all at test time ("... from Scratch", section 6.4.3).

    It is the variant of the first papers: what is kept stays as it is in training, and everything
    is multiplied by ``1 - dropout_ratio`` afterwards.

    Parameters
    ----------
    dropout_ratio : float
        The share that is silenced; drawn by ``np.random.rand``.

    Attributes
    ----------
    mask : bool array
        What the last training step kept.

    Examples
    --------
    >>> Dropout(0.25).forward(np.ones(4), train_flg=False)
    array([0.75, 0.75, 0.75, 0.75])
    """

    mask: Array | None = None

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        """Return ``x`` with some numbers silenced, or all of them scaled."""
        if not train_flg:
            return x * (1.0 - float(self.dropout_ratio))
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio  # noqa: NPY002 - the script's seed
        return x * self.mask

    def backward(self, dout: Array) -> Array:
        """Return ``dout`` through the last mask."""
        return dout * self._after_forward(self.mask)
