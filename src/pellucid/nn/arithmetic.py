"""Joins that compute number by number, broadcasting as NumPy does, and products of matrices.

Equations: `pellucid.ops.broadcasting`. Each image of one input meets the same image of the others:
the inputs have equally many axes, N first, and along each of the other axes one length, or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from .. import ops
from ..errors import ShapeError
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .join import Join, JoinError, require_gradient, shapes_of
from .join_texts import broadcast_refusal, listed

__all__ = ["Divide", "MatMul", "Maximum", "Minimum", "Multiply", "Subtract"]


class Arithmetic(Join):
    """Base class: the output is as large as the inputs broadcast together."""

    where: ClassVar[str]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape of the inputs broadcast together."""
        if len({len(shape) for shape in input_shapes}) > 1:
            raise JoinError(self, input_shapes)
        try:
            return ops.broadcast_shape(*input_shapes)
        except ShapeError:
            raise JoinError(self, input_shapes) from None

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return along which axes the inputs differ, and what to change."""
        return broadcast_refusal(shapes, names)

    def _checked(self, *inputs: Array) -> None:
        """Refuse inputs that cannot be joined."""
        self.output_shape(*shapes_of(inputs, self.where))


class Multiply(Arithmetic):
    """Multiply two inputs, number by number.

        y = a · b,    da = dy · b,    db = dy · a

    Inputs (N, ...), broadcast as in NumPy: a gate (N, C, 1, 1) multiplies the channels of images
    (N, C, H, W), and its gradient is summed over the image. Source of the gate: Hu et al. 2017,
    "Squeeze-and-Excitation Networks", section 3.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast, or have different numbers of axes.

    Examples
    --------
    >>> import numpy as np
    >>> multiply = Multiply()
    >>> multiply(np.array([[1.0, 2.0]]), np.array([[10.0]]))
    array([[10., 20.]])
    >>> [dx.tolist() for dx in multiply.backward(np.array([[1.0, 1.0]]))]
    [[[10.0, 10.0]], [[3.0]]]
    """

    where = "multiply"
    short_name = "product"
    sign = "·"

    def forward(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        """Return the product."""
        self._checked(a, b)
        self.remember(a, b)
        return ops.multiply(a, b)

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradients of both factors."""
        return ops.multiply_backward(dy, *self.recall())


class Subtract(Arithmetic):
    """Subtract the second input from the first, number by number.

        y = a - b,    da = dy,    db = -dy

    Inputs (N, ...), broadcast as in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> Subtract()(np.array([[1.0, 2.0]]), np.array([[10.0]]))
    array([[-9., -8.]])
    """

    where = "subtract"
    short_name = "difference"

    def forward(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        """Return the difference."""
        self._checked(a, b)
        self.remember([a.shape, b.shape])
        return ops.subtract(a, b)

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return ``dy`` and ``-dy``, summed where an input was broadcast."""
        return ops.subtract_backward(dy, *self.recall())


class Divide(Arithmetic):
    """Divide the first input by the second, number by number.

        y = a / b,    da = dy / b,    db = -dy · a / b²

    Inputs (N, ...), broadcast as in NumPy. Division by 0 gives an infinity or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> Divide()(np.array([[1.0, 2.0]]), np.array([[4.0]]))
    array([[0.25, 0.5 ]])
    """

    where = "divide"
    short_name = "quotient"

    def forward(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        """Return the quotient."""
        self._checked(a, b)
        self.remember(a, b)
        return ops.divide(a, b)

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradients of both inputs."""
        return ops.divide_backward(dy, *self.recall())


class Maximum(Arithmetic):
    """Take the largest of two or more inputs, number by number.

        y = max_k x_k,    dx_k = dy / m where x_k = y, as m of the inputs are; 0 elsewhere

    Inputs (N, ...), broadcast as in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> Maximum()(np.array([[1.0, 5.0]]), np.array([[3.0, 4.0]]))
    array([[3., 5.]])
    """

    where = "maximum"
    short_name = "maximum"

    def forward(self, a: Array, b: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return the largest numbers; NaN where one is NaN."""
        self._checked(a, b, *more)
        y = ops.maximum(a, b, *more)
        self.remember(y, (a, b, *more))
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return ``dy`` for the largest inputs; equal ones share it evenly."""
        return ops.maximum_backward(dy, *self.recall())


class Minimum(Arithmetic):
    """Take the smallest of two or more inputs, number by number.

        y = min_k x_k,    dx_k = dy / m where x_k = y, as m of the inputs are; 0 elsewhere

    Inputs (N, ...), broadcast as in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> Minimum()(np.array([[1.0, 5.0]]), np.array([[3.0, 4.0]]))
    array([[1., 4.]])
    """

    where = "minimum"
    short_name = "minimum"

    def forward(self, a: Array, b: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return the smallest numbers; NaN where one is NaN."""
        self._checked(a, b, *more)
        y = ops.minimum(a, b, *more)
        self.remember(y, (a, b, *more))
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return ``dy`` for the smallest inputs; equal ones share it evenly."""
        return ops.minimum_backward(dy, *self.recall())


class MatMul(Join):
    """Multiply the matrices of two inputs, as in attention.

        y = a · b,    da = dy · bᵀ,    db = aᵀ · dy

    Inputs (N, ..., I, J) and (N, ..., J, K), output (N, ..., I, K); axes before the matrices are
    broadcast as in NumPy.

    Raises
    ------
    ShapeError
        If the first has not as many columns as the second has rows, or the other axes differ.

    Examples
    --------
    >>> import numpy as np
    >>> MatMul()(np.ones((1, 2, 3)), np.ones((1, 3, 1)))[0].tolist()
    [[3.0], [3.0]]
    >>> MatMul().output_shape((8, 2, 3), (1, 3, 5)), MatMul().multiply_adds((8, 2, 3), (8, 3, 5))
    ((8, 2, 5), 240)
    """

    short_name = "matrix product"

    def forward(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        """Return the products."""
        shape = self.output_shape(*shapes_of((a, b), "matmul"))
        self.remember((len(a), *shape), a, b)
        return ops.matmul(a, b)

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return the gradients of both inputs."""
        shape, a, b = self.recall()
        require_gradient(dy, shape, "matmul")
        return ops.matmul_backward(dy, a, b)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return (..., I, K)."""
        a, b = input_shapes
        try:
            if len(a) == len(b):
                return ops.matmul_shape(a, b)
        except ShapeError:
            pass
        raise JoinError(self, input_shapes)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        """Return J for each number of the output."""
        return self.activation_size(*input_shapes) * input_shapes[0][-1]

    def receptive_field(self, field: ReceptiveField, *input_shapes: Shape) -> ReceptiveField:
        """Return a field of the whole input: rows and columns are mixed."""
        return replace(field, everything=True)

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return what the two matrices must have in common."""
        return (
            "a product of matrices needs inputs (..., I, J) and (..., J, K), with equally many "
            "axes, the columns of the first as many as the rows of the second; received "
            f"{listed(shapes, names)}."
        )
