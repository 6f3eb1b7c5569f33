"""The transpose of images' matrices, as steps and the book's layers run it."""

from __future__ import annotations

from ...kernels import transposition
from ...typing import Array
from .launch import launch

__all__ = ["transpose_images"]


def transpose_images(x: Array, y: Array, rows: int, columns: int) -> None:
    """Write the transpose of each image's matrix (rows, columns) in ``x`` to ``y``.

    Both are float32 and C-contiguous, of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(12, dtype=np.float32).reshape(2, 2, 3), np.empty((2, 3, 2), np.float32)
    >>> transpose_images(x, y, 2, 3)
    >>> y[0]
    array([[0., 3.],
           [1., 4.],
           [2., 5.]], dtype=float32)
    """
    per = transposition.part_length(rows, columns)
    tasks = x.size // (rows * columns) * -(-max(rows, columns) // per)
    flat = x.reshape(x.size), y.reshape(y.size)
    launch(transposition.transpose, tasks, x.size, *flat, rows, columns, per)
