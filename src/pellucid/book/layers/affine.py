"""`Affine`: the fully connected layer."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...ops.checks import require_shape
from ...typing import Array
from ..settings import settings
from .base import BookLayer
from .layouts import MemoryRows, as_float32, as_float32_or_64
from .products import affine, matmul_nt, matmul_tn

__all__ = ["Affine"]


class Affine(BookLayer):
    """``x·W + b`` for rows ``x``; images are flattened to rows ("... from Scratch", section 5.6).

    Parameters
    ----------
    W : array (in, out)
        The layer keeps a reference: it sees what an optimizer writes into the array.
    b : array (out,)

    Attributes
    ----------
    x : array (N, in)
        The last input, as rows. Images are flattened when the attribute is read, with what the
        script has written into them since the forward pass.
    original_x_shape : tuple
        The shape of the last input.
    dW, db : arrays
        The gradients of ``W`` and ``b``, in their shapes, after the first backward.

    Examples
    --------
    >>> affine = Affine(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0]))
    >>> affine.forward(np.array([[1.0, 1.0]]))
    array([[14., 26.]])
    >>> affine.backward(np.array([[1.0, 0.0]]))
    array([[1., 3.]])
    >>> affine.dW.tolist(), affine.db.tolist()
    ([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0])
    """

    _input_rows: MemoryRows | None = None  # the last input, if the layer computes in float32

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b
        self.original_x_shape: tuple[int, ...] | None = None
        self.dW: Array | None = None
        self.db: Array | None = None

    def forward(self, x: Array) -> Array:
        """Return ``x·W + b`` (N, out).

        Raises
        ------
        ShapeError
            If the length of a row is not that of the columns of ``W``.
        """
        vars(self).pop("x", None)
        self._input_rows, self.original_x_shape = None, x.shape
        size = math.prod(x.shape[1:])
        if size != len(self.W):
            raise ShapeError(
                f"expects rows of {len(self.W)} numbers, as many as W {self.W.shape} has rows; "
                f"received {x.shape}, which makes {size}. Build W for this input.",
                where="Affine",
            )
        if settings.in_double(x) or not x.size:
            self.x = x.reshape(len(x), size).astype(np.float64, copy=False)
            return ops.linear(self.x, np.asarray(self.W, np.float64).T) + np.asarray(self.b)
        self._input_rows = last = MemoryRows(x)
        rows, channels, w = last.rows, last.channels, as_float32_or_64(self.W)
        if np.shape(self.b) == (w.shape[1],):
            return affine(rows, w, as_float32(self.b), channels)
        no_bias = np.zeros(w.shape[1], np.float32)
        return affine(rows, w, no_bias, channels) + np.asarray(self.b, np.float32)

    def backward(self, dout: Array) -> Array:
        """Set ``dW`` and ``db``; return the gradient for the input, in its shape."""
        dy, shape = self.learn(dout), self._after_forward(self.original_x_shape)
        if dy.dtype == np.float64:
            return (dy @ np.asarray(self.W, np.float64).T).reshape(shape)
        input_rows = self._input()
        dx = matmul_nt(dy, as_float32_or_64(self.W), input_rows.channels)
        return input_rows.like_input(dx).reshape(shape)

    def learn(self, dout: Array) -> Array:
        """Set ``dW`` and ``db``; return ``dout`` in the dtype of the computation.

        Raises
        ------
        ShapeError
            If the shape of ``dout`` is not that of the output.
        """
        x, out = vars(self).get("x"), self.W.shape[1]
        double = x is not None and x.dtype == np.float64
        input_rows = None if double else self._input()
        rows: Any = x if input_rows is None else input_rows.rows
        require_shape(rows, (len(rows), len(self.W)), "an input", "(N, in)", "Affine")
        require_shape(dout, (len(rows), out), "a gradient", "(N, out)", "Affine")
        self.dW = self.db = None  # frees their memory for the new ones, unless the script holds it
        if input_rows is None:
            dy = dout.astype(np.float64, copy=False)
            self.dW = rows.T @ dy
        else:
            dy = as_float32(dout)
            self.dW = matmul_tn(rows, dy, input_rows.channels)
        self.db = dy.sum(axis=0)
        return dy

    @cached_property
    def x(self) -> Array | None:
        """Return the last input as rows."""
        return None if self._input_rows is None else self._input_rows.in_c_order()

    def _input(self) -> MemoryRows:
        """Return the last input, or `x` if that has been read or set."""
        x = vars(self).get("x")
        return self._after_forward(self._input_rows) if x is None else MemoryRows(x)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "x": self.x}
