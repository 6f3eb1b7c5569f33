"""Arithmetic on two or more arrays, broadcast as NumPy does, and products of matrices.

    add        y = Σ_k x_k        dx_k = dy
    subtract   y = a - b          da = dy            db = -dy
    multiply   y = a · b          da = dy · b        db = dy · a
    divide     y = a / b          da = dy / b        db = -dy · a / b²
    maximum    y = max_k x_k      dx_k = dy / m where x_k = y, which m of the inputs are; else 0
    minimum    y = min_k x_k      likewise
    matmul     y = a · b          da = dy · bᵀ       db = aᵀ · dy

A gradient is summed over the axes along which its input was repeated: that input was used there
as often. ("Deep Learning from Scratch", sections 5.4 and 5.5.1: the repeat node, whose backward is
a sum.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ..errors import ShapeError
from ..typing import Array, Shape
from .checks import as_floats, as_terms, require_real, require_shape
from .sums import total

__all__ = [
    "add",
    "add_backward",
    "broadcast_shape",
    "divide",
    "divide_backward",
    "matmul",
    "matmul_backward",
    "matmul_shape",
    "maximum",
    "maximum_backward",
    "minimum",
    "minimum_backward",
    "multiply",
    "multiply_backward",
    "subtract",
    "subtract_backward",
    "summed_to",
]


def broadcast_shape(*shapes: Shape) -> Shape:
    """Return the shape of arrays of these ``shapes`` broadcast together.

    Raises
    ------
    ShapeError
        If along some axis their lengths differ, and are not 1.

    Examples
    --------
    >>> broadcast_shape((8, 5, 5), (8, 1, 1))
    (8, 5, 5)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            "expects lengths that are equal, or 1, along every axis, counted from the last one; "
            f"received shapes {', '.join(map(str, shapes))}."
        ) from None


def summed_to(dy: Array, shape: Shape) -> Array:
    """Return the gradient of an array of ``shape`` that was broadcast to the shape of ``dy``.

    Examples
    --------
    >>> summed_to(np.ones((2, 3)), (3,)), summed_to(np.ones((2, 3)), (2, 1)).tolist()
    (array([2., 2., 2.]), [[3.0], [3.0]])
    """
    new = dy.ndim - len(shape)
    repeated = [k for k, size in enumerate(shape, new) if size == 1 and dy.shape[k] != 1]
    axes = (*range(new), *repeated)
    return total(dy, axes, keepdims=True).reshape(shape) if axes else dy


def add(*inputs: Array) -> Array:
    """Return the sum of the ``inputs``, from left to right.

    Examples
    --------
    >>> add(np.array([[1.0, 2.0]]), np.array([[10.0], [20.0]])).tolist()
    [[11.0, 12.0], [21.0, 22.0]]
    """
    _require_broadcast(inputs, "add")
    y: Array = reduce(np.add, inputs)
    return y


def add_backward(dy: Array, shapes: Sequence[Shape]) -> tuple[Array, ...]:
    """Return the gradient of each input, whose shapes were ``shapes``."""
    _require_gradient(dy, shapes, "add_backward")
    return tuple(summed_to(dy, shape) for shape in shapes)


def subtract(a: Array, b: Array) -> Array:
    """Return ``a - b``; of unsigned integers in float64, as the difference may be negative."""
    _require_broadcast((a, b), "subtract")
    if np.result_type(a, b).kind in "ub":
        a, b = as_floats(a), as_floats(b)
    return np.asarray(a - b)


def subtract_backward(dy: Array, shapes: Sequence[Shape]) -> tuple[Array, Array]:
    """Return ``da`` and ``db``, for inputs of these ``shapes``."""
    _require_gradient(dy, shapes, "subtract_backward")
    return summed_to(dy, shapes[0]), summed_to(-dy, shapes[1])


def multiply(a: Array, b: Array) -> Array:
    """Return ``a · b``, number by number.

    Examples
    --------
    >>> multiply(np.array([[1.0, 2.0]]), np.array([[10.0]]))
    array([[10., 20.]])
    """
    _require_broadcast((a, b), "multiply")
    return np.asarray(as_terms(a, b) * b)


def multiply_backward(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return ``da`` and ``db``."""
    _require_gradient(dy, (a.shape, b.shape), "multiply_backward")
    return summed_to(dy * b, a.shape), summed_to(dy * a, b.shape)


def divide(a: Array, b: Array) -> Array:
    """Return ``a / b``: infinite or NaN where ``b`` is 0; of integers in float64.

    Examples
    --------
    >>> divide(np.array([[1.0, 2.0, 0.0]]), np.array([[4.0, 0.0, 0.0]]))
    array([[0.25,  inf,  nan]])
    """
    _require_broadcast((a, b), "divide")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(as_floats(a) / as_floats(b))


def divide_backward(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return ``da`` and ``db``."""
    _require_gradient(dy, (a.shape, b.shape), "divide_backward")
    with np.errstate(divide="ignore", invalid="ignore"):
        da = dy / as_floats(b)
        return summed_to(da, a.shape), summed_to(-da * (a / as_floats(b)), b.shape)


def maximum(*inputs: Array) -> Array:
    """Return the largest of the ``inputs``, number by number; NaN where one is NaN.

    Examples
    --------
    >>> maximum(np.array([[1.0, 5.0]]), np.array([[3.0, 4.0]]))
    array([[3., 5.]])
    """
    _require_broadcast(inputs, "maximum")
    y: Array = reduce(np.maximum, inputs)
    return y


def maximum_backward(dy: Array, y: Array, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Return the gradient of each input: ``dy`` goes to the largest; equal ones share it evenly."""
    require_shape(dy, y.shape, "an output gradient", "like the output", "maximum_backward")
    return _shared(dy, y, inputs)


def minimum(*inputs: Array) -> Array:
    """Return the smallest of the ``inputs``, number by number; NaN where one is NaN."""
    _require_broadcast(inputs, "minimum")
    y: Array = reduce(np.minimum, inputs)
    return y


def minimum_backward(dy: Array, y: Array, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Return the gradient of each input: ``dy`` goes to the smallest; equal ones share it."""
    require_shape(dy, y.shape, "an output gradient", "like the output", "minimum_backward")
    return _shared(dy, y, inputs)


def matmul_shape(a: Shape, b: Shape) -> Shape:
    """Return the shape of the products of matrices (..., I, J) and (..., J, K): (..., I, K).

    Raises
    ------
    ShapeError
        If they are not matrices, the columns of the first are not as many as the rows of the
        second, or the axes before do not broadcast.

    Examples
    --------
    >>> matmul_shape((4, 2, 3), (1, 3, 5))
    (4, 2, 5)
    """
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ShapeError(
            "expects matrices (..., I, J) and (..., J, K), the first with as many columns as the "
            f"second has rows; received shapes {tuple(a)} and {tuple(b)}."
        )
    return *broadcast_shape(a[:-2], b[:-2]), a[-2], b[-1]


def matmul(a: Array, b: Array) -> Array:
    """Return the products of matrices ``a`` (..., I, J) and ``b`` (..., J, K).

    Examples
    --------
    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    for x in (a, b):
        require_real(x, "matmul")
    matmul_shape(a.shape, b.shape)
    return as_terms(a, b) @ b


def matmul_backward(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return ``da`` (..., I, J) and ``db`` (..., J, K)."""
    where = "matmul_backward"
    require_real(dy, where, "dy")
    require_shape(dy, matmul_shape(a.shape, b.shape), "an output gradient", "(..., I, K)", where)
    da, db = dy @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ dy
    return summed_to(da, a.shape), summed_to(db, b.shape)


def _shared(dy: Array, y: Array, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Return ``dy`` for the inputs equal to ``y``, divided by their number."""
    chosen = [x == y for x in inputs]
    share = dy / np.maximum(np.sum(chosen, axis=0), 1).astype(dy.dtype)
    return tuple(summed_to(share * mine, x.shape) for mine, x in zip(chosen, inputs, strict=True))


def _require_broadcast(inputs: Sequence[Array], where: str) -> None:
    for x in inputs:
        require_real(x, where)
    broadcast_shape(*(x.shape for x in inputs))


def _require_gradient(dy: Array, shapes: Sequence[Shape], where: str) -> None:
    require_real(dy, where, "dy")
    require_shape(dy, broadcast_shape(*shapes), "an output gradient", "like the output", where)
