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
from .layouts import Lying, as_floats, as_single
from .products import times, times_turned, turned_times

__all__ = ["Affine"]


class Affine(BookLayer):
    """``x·W + b`` for rows ``x``; images are laid out as rows ("... from Scratch", section 5.6).

    Parameters
    ----------
    W : array (in, out)
        The layer holds this very array: what an optimizer does to it, the layer sees.
    b : array (out,)

    Attributes
    ----------
    x : array (N, in)
        The last input, as rows. Those of images are put in order when it is read; what a script
        has written into the images since then is seen.
    original_x_shape : tuple
        The shape that it had.
    dW, db : arrays
        Shaped like ``W`` and ``b``; there after the first backward.

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

    _lying: Lying | None = None  # the last input, if it is computed with in float32

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
            If a row has another length than a column of ``W``.
        """
        vars(self).pop("x", None)
        self._lying, self.original_x_shape = None, x.shape
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
        self._lying = Lying(x)
        rows, channels, w = self._lying.rows, self._lying.channels, as_floats(self.W)
        if np.shape(self.b) == (w.shape[1],):
            return times(rows, w, as_single(self.b), channels)
        nothing = np.zeros(w.shape[1], np.float32)
        return times(rows, w, nothing, channels) + np.asarray(self.b, np.float32)

    def backward(self, dout: Array) -> Array:
        """Leave ``dW`` and ``db``; return the gradient for the input, in its shape."""
        dy, shape = self.learn(dout), self._after_forward(self.original_x_shape)
        if dy.dtype == np.float64:
            return (dy @ np.asarray(self.W, np.float64).T).reshape(shape)
        lying = self._input()
        dx = times_turned(dy, as_floats(self.W), lying.channels)
        return lying.images(dx).reshape(shape)

    def learn(self, dout: Array) -> Array:
        """Leave ``dW`` and ``db``; return ``dout`` in the type that is computed in.

        Raises
        ------
        ShapeError
            If ``dout`` has another shape than the output.
        """
        x, out = vars(self).get("x"), self.W.shape[1]
        double = x is not None and x.dtype == np.float64
        lying = None if double else self._input()
        rows: Any = x if lying is None else lying.rows
        require_shape(rows, (len(rows), len(self.W)), "an input", "(N, in)", "Affine")
        require_shape(dout, (len(rows), out), "a gradient", "(N, out)", "Affine")
        self.dW = self.db = None  # their memory is as good as new, unless somebody keeps them
        if lying is None:
            dy = dout.astype(np.float64, copy=False)
            self.dW = rows.T @ dy
        else:
            dy = as_single(dout)
            self.dW = turned_times(rows, dy, lying.channels)
        self.db = dy.sum(axis=0)
        return dy

    @cached_property
    def x(self) -> Array | None:
        """Return the last input as rows."""
        return None if self._lying is None else self._lying.in_order()

    def _input(self) -> Lying:
        """Return the last input: `x`, if that has been read or set."""
        x = vars(self).get("x")
        return self._after_forward(self._lying) if x is None else Lying(x)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "x": self.x}
