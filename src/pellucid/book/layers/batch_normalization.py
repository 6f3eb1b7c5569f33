"""`BatchNormalization`: every column of a batch with mean 0 and variance 1."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...typing import Array
from ..settings import settings
from .base import BookLayer

__all__ = ["BatchNormalization"]

EPSILON = 1e-6  # the book writes 10e-7


class BatchNormalization(BookLayer):
    """Mean 0 and variance 1 for each column of a batch, then ``gamma · x + beta`` (section 6.3).

    As in the book, images (N, C, H, W) are rows of C·H·W columns: each pixel is normalised
    separately, and ``gamma`` has C·H·W numbers. With ``settings.strict`` each channel is normalised
    over all its pixels, and ``gamma`` has C numbers (Ioffe & Szegedy 2015, section 3.2).

    Parameters
    ----------
    gamma, beta : arrays (columns,)
    momentum : float
        The share of the running statistics that each step keeps.
    running_mean, running_var : arrays, optional
        The statistics at test time.

    Attributes
    ----------
    dgamma, dbeta : arrays
    batch_size : int
    std, xn : arrays
        Standard deviation and normalised input of the last training batch.

    Examples
    --------
    >>> norm = BatchNormalization(np.ones(1), np.zeros(1))
    >>> norm.forward(np.array([[1.0], [3.0]])).round(3).ravel()
    array([-1.,  1.])
    >>> norm.running_mean, norm.running_var
    (array([0.2]), array([0.1]))
    """

    def __init__(
        self, gamma: Array, beta: Array, momentum: float = 0.9,
        running_mean: Array | None = None, running_var: Array | None = None,
    ) -> None:  # fmt: skip
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = running_mean, running_var
        self.input_shape: tuple[int, ...] | None = None
        self.batch_size: int | None = None
        self.std: Array | None = None
        self.xn: Array | None = None
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        """Return ``x`` normalised by its own statistics, or at test time by the running ones."""
        self.input_shape = x.shape
        dtype = np.float64 if settings.in_double(x) else np.float32
        rows = self._rows(x).astype(dtype, copy=False)
        columns = rows.shape[1]
        if self.running_mean is None or self.running_var is None:
            self.running_mean, self.running_var = np.zeros(columns), np.zeros(columns)
        gamma, beta = (np.asarray(a, rows.dtype) for a in (self.gamma, self.beta))
        if not train_flg:
            mean, var = (np.asarray(a, float) for a in (self.running_mean, self.running_var))
            return self._in_shape(ops.batch_norm(rows, gamma, beta, mean, var, EPSILON)[0])
        # Also of a single row, as in the book; in float64, because a deviation may be small.
        mean, var = rows.mean(axis=0, dtype=np.float64), rows.var(axis=0, dtype=np.float64)
        y, self.xn = ops.batch_norm(rows, gamma, beta, mean, var, EPSILON)
        self.batch_size, self.std = len(rows), np.sqrt(var + EPSILON)
        keep = self.momentum
        self.running_mean = keep * self.running_mean + (1 - keep) * mean
        self.running_var = keep * self.running_var + (1 - keep) * var
        return self._in_shape(y)

    def backward(self, dout: Array) -> Array:
        """Set ``dgamma`` and ``dbeta``; return the gradient for the last training batch."""
        xn, std = self._after_forward(self.xn), self._after_forward(self.std)
        dy, gamma = self._rows(dout).astype(xn.dtype, copy=False), np.asarray(self.gamma, xn.dtype)
        dx, self.dgamma, self.dbeta = ops.batch_norm_backward(dy, xn, gamma, std**2, 0.0)
        return self._in_shape(dx)

    def _rows(self, x: Array) -> Array:
        """Return ``x`` as a matrix whose columns are normalised."""
        if settings.strict and x.ndim == 4:
            return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
        return x.reshape(len(x), -1)

    def _in_shape(self, rows: Array) -> Array:
        """Return rows in the shape of the input."""
        shape = self._after_forward(self.input_shape)
        if settings.strict and len(shape) == 4:
            n, c, h, w = shape
            return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return rows.reshape(shape)
